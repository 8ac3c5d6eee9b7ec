import Glibc
import Layers
import Linux
package import Overlay
import SystemPackage

/// The merged tree: a lower that never changes, and an upper that holds the changes.
///
/// **Locks.** `copyUps` (the set of nodes being copied up; held only to change the set) and the lock of a partial
/// file's data (`PartialData`) come before `names`. `names` guards everything that says what is where: the nodes'
/// places, listings, reference counts, and the system calls that change names in the upper. The table's own lock
/// comes last. Reading a file that is only in the lower takes the table's lock for one look and no other; copying
/// data up, and reading and writing files, happens with no lock held. A function that needs `names` takes
/// `HeldNames`, which only that lock gives.
///
/// **What may be relied on.** No other process writes to the upper. The kernel serialises changes of one directory.
/// Numbers (`UInt64`) name nodes; a method that returns `Attributes` for the kernel has counted one reference, which
/// `forget` takes back.
package final class UnionTree: @unchecked Sendable {
    package let lower: any LowerTree
    let upper: Upper?
    let names = NamesLock()
    let table = NodeTable()
    let copyUps = CopyUps()
    let fills = FillQueue()
    let lowerOrders = LowerOrders()
    let unsealed = UnsealedFiles()
    /// Receives, in words, what an administrator should know.
    let report: @Sendable (String) -> Void
    /// Guarded by `names`.
    let directories = OpenDirectories(capacity: 48)
    let files = FileCache(capacity: 48)
    let root: Node
    /// Copies of lower files that can't have a mark, by st_ino in the upper. Guarded by `names`.
    var unmarked: [UInt64: Node] = [:]
    /// Guarded by `names`.
    var forgottenStatuses = ForgottenStatuses()
    /// Whether there may be directories with a redirect that have no node yet. Guarded by `names`.
    var hasUnknownRedirects = false
    /// For lower files with many names: how many of these are visible. Guarded by `names`.
    var visibleCounts: [UInt32: UInt32] = [:]
    /// Lower files that have too many names for the upper's filesystem, with the number of names that failed.
    /// Guarded by `names`.
    var unlinkable: [UInt32: Int] = [:]
    var forgotten = ForgottenPlaces()
    /// The number of orphans with a `heldFile`. Guarded by `names`.
    var heldCount = 0
    /// The number of orphans, and when the last became one, in nanoseconds of CLOCK_MONOTONIC. Guarded by `names`.
    var orphanCount = 0
    var lastRemoval: UInt64 = 0
    /// Directories that dropped nodes were in, while nodes are dropped in a loop. Guarded by `names`.
    var left: [Node]?
    /// The number of calls that are freeing removed files. Guarded by `names`.
    var leavingCount = 0

    /// Without an upper the tree is read-only: EROFS.
    package init(
        lower: any LowerTree,
        upper: Upper?,
        report: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        self.lower = lower
        self.report = report
        self.upper = upper
        root = Node(id: NodeID.root, mode: S_IFDIR, lower: 0, parent: nil, name: .dot)
        root.isPinned = true
        guard let upper else { return }
        try upper.refuseWithoutMarks(unless: lowerHasEvidence)
        if try upper.isOpaque(.dot, in: upper.root) { root.lower = nil }
        table.insert(root)
        do {
            try recover(upper)
        } catch {
            throw Failure("read the upper", Errno(rawValue: error.errno))
        }
    }

    /// EROFS without an upper.
    func writable() throws(FSError) -> Upper {
        guard let upper else { throw .system(.readOnlyFileSystem) }
        return upper
    }

    /// Ends the tree after its mount is gone, and deletes the orphans.
    package func close() {
        guard let upper else { return }
        fills.end()
        sealFiles()
        names.lock()
        defer { names.unlock() }
        // What fails here, or is among other files, is swept at the next mount.
        for name in (upper.isCramped ? nil : try? upper.orphans.fd.names()) ?? [] {
            try? upper.orphans.fd.removeTree(name)
        }
        upper.close()
    }
}

/// The nodes that are being copied up, each by one thread, for which others that want the node wait.
final class CopyUps: @unchecked Sendable {
    // Safe to share: `running` is only touched under `lock`.
    private let lock = Lock()
    private var running: Set<UInt64> = []

    /// Runs `body` while no other thread does for this node.
    func exclusively<R>(_ inode: UInt64, _ body: () throws(FSError) -> R) throws(FSError) -> R {
        lock.lock()
        while running.contains(inode) { lock.wait() }
        running.insert(inode)
        lock.unlock()
        defer {
            lock.lock()
            running.remove(inode)
            lock.wakeAll()
            lock.unlock()
        }
        return try body()
    }
}
