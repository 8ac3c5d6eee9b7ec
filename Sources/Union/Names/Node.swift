import Glibc
import Linux
import Synchronization

/// Where the data of a file in the upper is.
enum DataPlace {
    case upper
    /// The upper has attributes only; the data is that of a lower file.
    case lower(UInt32)
    /// Some of it is in the upper, and some in a lower file.
    case partial(PartialData)
    /// In a lower file that is not there.
    case lost
    /// Some was in the upper, and nobody knows any more which: the file is a copy that does not have the holes.
    case damaged
}

/// How much of a file's data a change needs to have in the upper.
enum NeededData: Equatable {
    case none
    /// In bytes: what is behind is about to be cut off, and the rest may be written.
    case first(UInt64)
    /// Any part may be written.
    case blocks
    /// All must be there, and nothing be left in the lower.
    case all
}

/// Something the container touched: a file or directory that is in the upper.
///
/// What is only in the lower has no node. All state is guarded by the union's lock of names, except `data` and
/// `needsSync`, which any thread may read, and `shown`.
final class Node {
    /// The number the kernel knows it by; see `NodeID`.
    let id: UInt64
    let isDirectory: Bool
    /// In the upper it is a regular file.
    let isRegular: Bool
    /// The lower inode it was copied up from; of a directory, the one it is merged with.
    var lower: UInt32?

    /// Where it is; nil for the root, and when it has no name any more.
    var parent: Node?
    /// In `parent`; of an orphan, in work/orphans.
    var name: FileName
    /// Further names that are known to lead to it. There may be more that nobody has looked up yet.
    var others: [(parent: Node, name: FileName)] = []
    /// Unlinked, but the kernel still refers to it.
    var isOrphan = false
    /// Of an orphan that is not in the work directory, as most are: it lives as long as this is open.
    var kept: OpenFile?

    /// What stat(2) says of it, where that is not what its file says, and how often somebody changed that; see
    /// `KeptStatus`. Any thread may look.
    let shown = Mutex<(status: KeptStatus?, changes: UInt64)>((nil, 0))

    /// A character device 0:0 that is data: see `WhiteoutData`.
    var isWhiteoutData = false

    /// Somebody asked for its file capability, or it was made just now, and there is none.
    var hasNoCapability = false

    /// Of a directory, once somebody looked.
    var listing: Listing?

    /// Of a merged directory, once somebody counted: the lower's subdirectories that nothing in the upper hides or
    /// continues.
    var lowerSubdirectories: UInt32?

    /// Of a merged directory, once somebody wanted to change it: nobody may.
    var hasImmutableLower: Bool?

    /// Of a directory that is open: see `OpenDirectories`.
    var opened: OpenFile?
    /// Somebody wanted `opened` since it was last looked at for closing.
    var isOpenedInUse = false

    /// References the kernel holds and has not forgotten.
    var lookups: UInt64 = 0
    /// Names of nodes that are in this directory.
    var children = 0
    /// It stays as long as it has a name: its number alone would lead to the lower file, or to nothing.
    var isPinned = false

    /// Whether the kernel may still ask for it by number.
    var isReferenced: Bool { lookups > 0 }

    /// Changes in one direction, from the lower to the upper, by whoever brings the data.
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
    /// Stays when the data is whole: somebody may be about to look at it.
    private let storedPartial = Mutex<PartialData?>(nil)

    /// fdatasync(2) need not bring a new name or attribute to the disk, and a copy-up is made of these.
    var needsSync: Bool {
        get { storedNeedsSync.load(ordering: .relaxed) }
        set { storedNeedsSync.store(newValue, ordering: .relaxed) }
    }
    private let storedNeedsSync = Atomic(true)

    /// Whether it needed a sync, which it is about to get.
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
