import Linux
import Synchronization

/// Where the data of an upper file is of which some is still in the lower: below `limit`, what is a hole in the
/// upper file is the lower's data; everything else is the upper's.
///
/// The upper file's own extents are the record, so nothing has to be kept in step with them, and whatever a crash
/// loses of what was written is the lower's data again.
final class PartialData: Sendable {
    /// The lower file.
    let inode: UInt32
    /// Bytes: the unit in which what was written is told from what was not.
    let block: UInt64
    /// Shared by whoever writes where there are no holes; alone for whoever fills holes or lowers the limit. Comes
    /// before the lock of names. Readers take none: see `PartialFile.read`.
    let lock = SharedLock()
    let known: KnownBlocks

    /// Whether the map of its data (`OverlayMarks`) may be there. Changed alone.
    var isSealed: Bool {
        get { storedSeal.load(ordering: .relaxed) }
        set { storedSeal.store(newValue, ordering: .relaxed) }
    }

    /// Whether blocks may be there that a power cut left without data: see `PartialFile.dropBlocksWithoutData`. Changed
    /// alone.
    var mayLackData: Bool {
        get { storedLack.load(ordering: .acquiring) }
        set { storedLack.store(newValue, ordering: .releasing) }
    }

    private let storedSeal: Atomic<Bool>
    private let storedLack: Atomic<Bool>
    private let storedLimit: Atomic<UInt64>
    private let storedMark: Atomic<UInt64>

    /// `isNew`: there is nothing in the upper file yet.
    init(inode: UInt32, limit: UInt64, marked: UInt64, block: UInt64, isSealed: Bool, isNew: Bool) {
        self.inode = inode
        self.block = block
        known = KnownBlocks(block: block)
        storedSeal = Atomic(isSealed)
        storedLack = Atomic(!isNew)
        storedLimit = Atomic(limit)
        storedMark = Atomic(marked)
    }

    /// Bytes. Only ever falls: what was cut off once, or the lower never had, is zeros when the file grows again.
    /// 0 when all data is the upper's.
    var limit: UInt64 { storedLimit.load(ordering: .acquiring) }

    /// The limit that the next mount would find if the file did not become shorter.
    var marked: UInt64 { storedMark.load(ordering: .relaxed) }

    /// Whether the file may not grow before the limit was noted.
    var isUnmarked: Bool { limit < marked }

    /// Precondition: alone.
    func lower(to limit: UInt64) {
        if limit < self.limit { storedLimit.store(limit, ordering: .releasing) }
    }

    /// Precondition: alone.
    func setMarked(_ limit: UInt64) { storedMark.store(limit, ordering: .relaxed) }
}
