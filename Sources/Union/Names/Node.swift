import Glibc
import Linux
import Synchronization

/// Where the data of a file in the upper is.
enum DataPlace {
    case upper
    /// The upper has the attributes only; the data is that of a lower file.
    case lower(UInt32)
    /// Some of the data is in the upper, and some in a lower file.
    case partial(PartialData)
    /// The data was left in a lower file that is gone.
    case lost
    /// Some data was in the upper, but which is unknown: the file is a copy that lost the holes.
    case damaged
}

/// How much of a file's data must be in the upper for a change.
enum NeededData: Equatable {
    case none
    /// The first so many bytes: what is behind is about to be cut off, and the rest may be written.
    case first(UInt64)
    /// Any part may be written.
    case blocks
    /// All data: nothing may be left in the lower.
    case all
}

/// A file or directory that is in the upper.
///
/// A file that is only in the lower has no node. The union's lock of names guards all state, except `data` and
/// `needsSync`, which any thread may read, and `shown`.
final class Node {
    /// The number the kernel knows it by; see `NodeID`.
    let id: UInt64
    let isDirectory: Bool
    /// Whether it is a regular file in the upper.
    let isRegular: Bool
    /// The lower inode that it was copied up from; for a directory, the one that it is merged with.
    var lower: UInt32?

    /// The directory that it is in; nil for the root, and for an orphan.
    var parent: Node?
    /// Its name in `parent`; for an orphan, in work/orphans.
    var name: FileName
    /// Further names that are known to lead to it. There may be more that were not looked up yet.
    var others: [(parent: Node, name: FileName)] = []
    /// It has no name any more, but the kernel still refers to it.
    var isOrphan = false
    /// The open file of an orphan that is not in work/orphans, as most are not: the orphan lives as long as this is
    /// open.
    var heldFile: OpenFile?

    /// What stat(2) shows where that differs from the file's own status, and how often a user changed the file; see
    /// `PreservedStatus`. Any thread may look.
    let shown = Mutex<(status: PreservedStatus?, changes: UInt64)>((nil, 0))

    /// It stands for a character device 0:0 that is data: see `WhiteoutData`.
    var isWhiteoutData = false

    /// It is known to have no file capability: it was asked for, or the file was made just now.
    var hasNoCapability = false

    /// The names in a directory, once they were read.
    var listing: Listing?

    /// For a merged directory, once they were counted: the lower's subdirectories that nothing in the upper hides or
    /// continues.
    var lowerSubdirectories: UInt32?

    /// For a merged directory, once a request wanted to change it: whether its lower is immutable.
    var hasImmutableLower: Bool?

    /// The open directory: see `OpenDirectories`.
    var opened: OpenFile?
    /// `opened` was used since the clock's hand last passed it.
    var isOpenedInUse = false

    /// How many references the kernel holds.
    var lookups: UInt64 = 0
    /// How many names of nodes are in this directory.
    var children = 0
    /// It stays as long as it has a name: its number alone would lead to the lower file, or to nothing.
    var isPinned = false

    /// Whether the kernel may still ask for it by number.
    var isReferenced: Bool { lookups > 0 }

    /// Changes in one direction, from the lower to the upper, and only by the thread that completes the data.
    var data: DataPlace {
        get {
            switch storedData.load(ordering: .acquiring) {
            case 0: return .upper
            case 1: return .lost
            case 2: return storedPartial.withLock { $0.map { .partial($0) } } ?? .lost
            case 3: return .damaged
            case let number: return .lower(UInt32(truncatingIfNeeded: number - 4))
            }
        }
        set {
            let number: UInt64
            switch newValue {
            case .upper: number = 0
            case .lost: number = 1
            case .partial(let partial):
                storedPartial.withLock { $0 = partial }
                number = 2
            case .damaged: number = 3
            case .lower(let inode): number = UInt64(inode) + 4
            }
            storedData.store(number, ordering: .releasing)
        }
    }
    private let storedData = Atomic<UInt64>(0)
    /// Stays when the data is complete, because another thread may be about to look at it.
    private let storedPartial = Mutex<PartialData?>(nil)

    /// fdatasync(2) need not write a new name or attribute to disk, and a copy-up consists of these.
    var needsSync: Bool {
        get { storedNeedsSync.load(ordering: .relaxed) }
        set { storedNeedsSync.store(newValue, ordering: .relaxed) }
    }
    private let storedNeedsSync = Atomic(true)

    /// Clears `needsSync` before a sync; returns what it was.
    func startSync() -> Bool { storedNeedsSync.exchange(false, ordering: .relaxed) }

    /// `mode`: its type in the upper.
    init(id: UInt64, mode: UInt32, lower: UInt32?, parent: Node?, name: FileName) {
        self.id = id
        isDirectory = mode & S_IFMT == S_IFDIR
        isRegular = mode & S_IFMT == S_IFREG
        self.lower = lower
        self.parent = parent
        self.name = name
    }
}

/// Node numbers are computed, never allocated, so that a daemon that takes over the mount finds the same ones.
package enum NodeID {
    package static let root: UInt64 = 1
    private static let upperBase: UInt64 = 1 << 32

    /// The number of a file that is, or once was, in the lower.
    static func lower(_ inode: UInt32) -> UInt64 { UInt64(inode) + 1 }
    /// The number of a file that was made in the upper.
    static func upper(_ inode: UInt64) -> UInt64 { inode &+ upperBase }

    /// The lower inode of a number; nil for a number of the upper's.
    static func lowerInode(_ id: UInt64) -> UInt32? {
        id >= 1 && id < upperBase ? UInt32(truncatingIfNeeded: id - 1) : nil
    }
}
