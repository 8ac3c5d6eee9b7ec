import Linux
import Synchronization

/// Where the data of a partially copied up file is: below `limit`, a hole in the upper file stands for the
/// lower's data; everything else is the upper's.
///
/// The upper file's own extents are the record, so nothing has to be kept in step with them; where a crash
/// loses written blocks, the lower's data shows again.
final class PartialData: Sendable {
    /// The lower file.
    let inode: UInt32
    /// In bytes: the unit in which written data is told from unwritten.
    let block: UInt64
    /// Held shared by writers where there are no holes, exclusively (“alone”) to fill holes or to lower the
    /// limit. Taken before the lock of names. Readers take none: see `PartialFile.read`.
    let lock = SharedLock()
    let known: KnownBlocks

    /// Whether the map of its data (`OverlayMarks`) may be recorded. Set with the lock held alone.
    var isSealed: Bool {
        get { storedSeal.load(ordering: .relaxed) }
        set { storedSeal.store(newValue, ordering: .relaxed) }
    }

    /// Whether the file may have blocks that a power cut left without data: see
    /// `PartialFile.dropBlocksWithoutData`. Set with the lock held alone.
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

    /// In bytes. It only falls: what was once cut off, or was never in the lower, is zeros when the file
    /// grows again. 0 when all data is the upper's.
    var limit: UInt64 { storedLimit.load(ordering: .acquiring) }

    /// The limit that the next mount would find if the file did not shrink.
    var marked: UInt64 { storedMark.load(ordering: .relaxed) }

    /// Whether the limit must be recorded before the file may grow.
    var isUnmarked: Bool { limit < marked }

    /// Precondition: the lock is held alone.
    func lower(to limit: UInt64) {
        if limit < self.limit { storedLimit.store(limit, ordering: .releasing) }
    }

    /// Precondition: the lock is held alone.
    func setMarked(_ limit: UInt64) { storedMark.store(limit, ordering: .relaxed) }
}
