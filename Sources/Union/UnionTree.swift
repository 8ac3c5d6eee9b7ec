import Glibc
import Layers
import Linux
package import Overlay
import SystemPackage

/// The merged tree: a lower that never changes, and an upper that holds what did.
///
/// **Locks.** `copyUps` (a set of nodes being copied up; held only to change the set) and the lock of a partial
/// file's data (`PartialData`) come before `names`;
/// `names` guards everything that says what is where: nodes' places, listings, reference counts, and the
/// system calls that change names in the upper. Inside it, and only there: the table's own lock. Reading what is
/// only in the lower takes the table's lock for one look and no other; the data of a copy-up and all reading and
/// writing of files happen with no lock held. What needs `names` takes `HeldNames`, which only that lock gives.
///
/// **What may be relied on.** Nobody else writes to the upper. The kernel serialises changes of one directory.
/// Numbers (`UInt64`) name nodes; a method that returns `Attributes` for the kernel has counted one reference,
/// to be given back by `forget`.
package final class UnionTree: @unchecked Sendable {
    package let lower: any LowerTree
    let upper: Upper?
    let names = NamesLock()
    let table = NodeTable()
    let copyUps = CopyUps()
    let fills = FillQueue()
    let lowerOrders = LowerOrders()
    let unsealed = UnsealedFiles()
    /// Hears, in words, of what somebody should do something about.
    let report: @Sendable (String) -> Void
    /// Guarded by `names`.
    let directories = OpenDirectories(capacity: 48)
    let files = FileCache(capacity: 48)
    let root: Node
    /// Copies of lower files that cannot have a mark, by st_ino in the upper. Guarded by `names`.
    var unmarked: [UInt64: Node] = [:]
    /// Guarded by `names`.
    var forgottenStatuses = ForgottenStatuses()
    /// There may be directories with a redirect that have no node yet. Guarded by `names`.
    var hasUnknownRedirects = false
    /// Of lower files with many names, how many can be seen. Guarded by `names`.
    var visibleCounts: [UInt32: UInt32] = [:]
    /// Lower files that have too many names for the upper's filesystem: how many it was when that was tried. Guarded by
    /// `names`.
    var unlinkable: [UInt32: Int] = [:]
    var forgotten = ForgottenPlaces()
    /// Nodes that are `kept`. Guarded by `names`.
    var heldCount = 0
    /// Nodes that have no name, and when one lost its last, in nanoseconds of CLOCK_MONOTONIC. Guarded by `names`.
    var orphanCount = 0
    var lastRemoval: UInt64 = 0
    /// Directories that unused nodes were in, while such go one after another. Guarded by `names`.
    var left: [Node]?
    /// Calls that free removed files just now.
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

    /// The mount is gone, and with it whatever was unlinked but open.
    package func close() {
        guard let upper else { return }
        fills.end()
        sealFiles()
        names.lock()
        defer { names.unlock() }
        // What fails here, or is among other things, is swept at the next mount.
        for name in (upper.isCramped ? nil : try? upper.orphans.fd.names()) ?? [] {
            try? upper.orphans.fd.removeTree(name)
        }
        upper.close()
    }
}

/// Nodes that are being copied up, each by one thread while the others that want it wait.
final class CopyUps: @unchecked Sendable {
    // Safe to share: `running` is only touched under `lock`.
    private let lock = Lock()
    private var running: Set<UInt64> = []

    /// Runs `body` when nobody else does for this node.
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
