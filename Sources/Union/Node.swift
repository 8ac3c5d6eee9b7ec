/// Something the container touched: a file or directory that is in the upper.
///
/// What is only in the lower has no node. All state is guarded by the union's lock of names, except `lookups`,
/// which the lock of the table guards.
final class Node {
    /// The number the kernel knows it by; see `NodeID`.
    let id: UInt64
    let isDirectory: Bool
    /// The lower inode it was copied up from; of a directory, the one it is merged with.
    var lower: UInt32?

    /// Where it is; nil for the root, and when it has no name any more.
    var parent: Node?
    var name: FileName
    /// Unlinked, but the kernel still refers to it: kept in the work directory under its number.
    var isOrphan = false

    /// Of a directory, once somebody looked.
    var listing: Listing?

    /// References the kernel holds and has not forgotten.
    var lookups: UInt64 = 0
    /// Nodes whose `parent` this is.
    var children = 0
    /// The kernel knew it before it had a node, so its references were not counted: it stays.
    var isPinned = false
    /// Of a pinned node: the kernel has given back what it held from before.
    var wasForgotten = false

    /// Whether the kernel may still ask for it by number.
    var isReferenced: Bool { lookups > 0 || (isPinned && !wasForgotten) }

    init(id: UInt64, isDirectory: Bool, lower: UInt32?, parent: Node?, name: FileName) {
        self.id = id
        self.isDirectory = isDirectory
        self.lower = lower
        self.parent = parent
        self.name = name
    }
}

/// Node numbers are computed, never allocated: whoever serves the mount next finds the same ones.
package enum NodeID {
    package static let root: UInt64 = 1
    private static let upperBase: UInt64 = 1 << 32

    /// Of what is, or once was, in the lower tree.
    static func lower(_ inode: UInt32) -> UInt64 { UInt64(inode) + 1 }
    /// Of what was made in the upper.
    static func upper(_ inode: UInt64) -> UInt64 { inode &+ upperBase }

    /// The lower inode of a number, unless it belongs to the upper.
    static func lowerInode(_ id: UInt64) -> UInt32? {
        id >= 1 && id < upperBase ? UInt32(truncatingIfNeeded: id - 1) : nil
    }
}
