package import Linux
import SystemPackage
/// What stat(2) says of a node, as the protocol carries it.
package struct NodeStatus: Sendable {
    package var node: UInt64 = 0
    /// st_ino.
    package var ino: UInt64 = 0
    package var mode: UInt32 = 0
    package var nlink: UInt32 = 0
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    /// The kernel's 32-bit encoding.
    package var rdev: UInt32 = 0
    package var size: UInt64 = 0
    /// Of 512 bytes.
    package var blocks: UInt64 = 0
    package var atime = (seconds: Int64(0), nanoseconds: UInt32(0))
    package var mtime = (seconds: Int64(0), nanoseconds: UInt32(0))
    package var ctime = (seconds: Int64(0), nanoseconds: UInt32(0))

    package init() {}
}

/// A setattr; nil stays as it is.
package struct StatusChange: Sendable {
    package enum Time: Sendable {
        case now
        case at(seconds: Int64, nanoseconds: UInt32)
    }
    package var mode: UInt32?
    package var uid: UInt32?
    package var gid: UInt32?
    package var size: UInt64?
    package var atime: Time?
    package var mtime: Time?
    /// What the kernel shows, where it keeps this time itself: as long as it caches what is written.
    package var ctime: (seconds: Int64, nanoseconds: UInt32)?
    /// FATTR_KILL_SUIDGID.
    package var killsPrivileges = false

    package init() {}
}

/// Who makes a new node.
package struct Caller: Sendable {
    package let uid: UInt32
    package let gid: UInt32
    package let umask: UInt32

    package init(uid: UInt32, gid: UInt32, umask: UInt32) {
        self.uid = uid
        self.gid = gid
        self.umask = umask
    }
}

/// statfs(2): blocks of `blockSize` bytes.
package struct FilesystemStatus: Sendable {
    package var blockSize: UInt64 = 4096
    package var blocks: UInt64 = 0
    package var freeBlocks: UInt64 = 0
    package var availableBlocks: UInt64 = 0
    package var files: UInt64 = 0
    package var freeFiles: UInt64 = 0
    package var nameLength: UInt64 = 255

    package init() {}
}

/// So many references to a node.
package struct References: Sendable {
    package var node: UInt64
    package var count: UInt64

    package init(_ node: UInt64, _ count: UInt64) {
        self.node = node
        self.count = count
    }
}

/// What a mounted filesystem answers: one method per request it supports, called on several threads at once.
///
/// Names are without `/` and NUL. Errors reach the caller as their errno. A returned `NodeStatus` of a lookup or
/// creation has one reference counted, which `forget` gives back. What is missing here answers ENOSYS, which
/// the kernel turns into what POSIX says (EOPNOTSUPP, ENOTTY) or into work of its own (locks, access checks).
package protocol Operations: AnyObject, Sendable {
    /// nil: there is no such name, and the kernel may remember it.
    func lookup(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) -> NodeStatus?
    /// Many at a time, as the kernel gives them back.
    func forget(_ references: [References])
    /// Whether room is about to come back without anybody's doing: files are just being freed, or one was removed no
    /// longer ago than that and waits for its `forget`.
    func mayGainRoom(within nanoseconds: UInt64) -> Bool
    func status(of node: UInt64) throws(FSError) -> NodeStatus
    /// When a node was made; nil where that is not known. ENOSYS: of none it is, and nobody need ask again.
    func birth(of node: UInt64) throws(FSError) -> (seconds: Int64, nanoseconds: UInt32)?
    func change(_ node: UInt64, _ change: StatusChange) throws(FSError) -> NodeStatus
    func target(of node: UInt64) throws(FSError) -> [UInt8]

    func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus
    /// open(2) with O_TMPFILE: a file without a name, until `link` gives it one.
    func makeTemporary(in parent: UInt64, mode: UInt32, by caller: Caller) throws(FSError) -> NodeStatus
    func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus
    func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> NodeStatus
    func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> NodeStatus
    func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError)
    func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError)
    /// `flags`: RENAME_*.
    func rename(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        to newName: UnsafeRawBufferPointer,
        in newParent: UInt64,
        flags: UInt32
    ) throws(FSError)

    /// The names of a directory from position `offset`, 0 at first, until `body` returns false: name, status and
    /// the position behind it. Every entry accepted, but `.` and `..`, has one reference counted where `isCounting`.
    func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (UnsafeRawBufferPointer, NodeStatus, UInt64) throws(FSError) -> Bool
    ) throws(FSError)

    /// How many bytes from `offset` on are in `buffer`; fewer than it holds only at the end of the file.
    func read(
        _ node: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int
    func write(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int
    /// The same of what was written some time ago: the kernel says by `change` when that was, and until it does the times
    /// stay.
    func writeBack(_ node: UInt64, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FSError) -> Int
    func synchronize(_ node: UInt64, dataOnly: Bool) throws(FSError)
    func allocate(
        _ node: UInt64,
        mode: Int32,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError)
    /// `whence`: SEEK_DATA or SEEK_HOLE.
    func seek(_ node: UInt64, offset: Int64, whence: Int32) throws(FSError) -> Int64
    func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int

    /// nil: there is no such attribute.
    func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]?
    func xattrs(of node: UInt64) throws(FSError) -> [XattrName]
    func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError)
    func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError)

    /// What lsattr(1) shows of a regular file or a directory: FS_*_FL, or a `struct fsxattr`. ENOTTY where there is no such
    /// thing.
    func flags(of node: UInt64) throws(FSError) -> UInt32
    func extendedFlags(of node: UInt64) throws(FSError) -> [UInt8]
    func setFlags(of node: UInt64, to flags: UInt32) throws(FSError)

    func statistics() throws(FSError) -> FilesystemStatus

    /// Passthrough mode only: open(2) of a regular file, with O_TRUNC if it has to be cut. Each successful one is given
    /// back by `release`.
    func open(_ node: UInt64, _ request: OpenRequest) throws(FSError) -> OpenReply
    func release(_ node: UInt64)
}

extension Operations {
    // What has no passthrough mode is never asked.
    package func open(_ node: UInt64, _ request: OpenRequest) throws(FSError) -> OpenReply {
        throw .system(.noFunction)
    }

    package func release(_ node: UInt64) {}

    package func writeBack(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try write(node, bytes, at: offset, killsPrivileges: false)
    }

    package func flags(of node: UInt64) throws(FSError) -> UInt32 {
        throw .system(.inappropriateIOCTLForDevice)
    }
    package func extendedFlags(of node: UInt64) throws(FSError) -> [UInt8] {
        throw .system(.inappropriateIOCTLForDevice)
    }
    package func setFlags(of node: UInt64, to flags: UInt32) throws(FSError) {
        throw .system(.inappropriateIOCTLForDevice)
    }

    package func birth(of node: UInt64) throws(FSError) -> (seconds: Int64, nanoseconds: UInt32)? {
        throw .system(.noFunction)
    }
}

extension Operations {
    package func forget(_ node: UInt64, count: UInt64) { forget([References(node, count)]) }
}
