import Layers
import Linux
import OCI
import SystemPackage

import Glibc

/// Frees what nothing refers to.
///
/// Roots are images (until they are removed), active and hand-committed snapshots, views, containers, mounts
/// whose lock is held, and leases that have not expired. First the rows go, in one transaction; then every file
/// that no row stands for. So a process that is killed in between leaves files for the next collection, never a row
/// without its file. The store's lock is held exclusively: no process stages or publishes meanwhile.
extension Store {
    /// `isDryRun`: only says what would go. nil: a process is working in the store, and `waiting` was not wanted.
    /// `forgettingSteps`: what builds keep for later builds goes. `keepingArrivals`: what an unfinished pull has stays, for
    /// who goes on with it.
    @discardableResult
    package func collect(
        dryRun isDryRun: Bool = false,
        waiting: Bool = true,
        forgettingSteps: Bool = false,
        keepingArrivals: Bool = false
    ) throws -> Collection? {
        let lock = try naming("lock \(layout.lock)") {
            waiting ? try FileLock(layout.lock, .exclusive) : try FileLock(trying: layout.lock, .exclusive)
        }
        guard let lock else { return nil }
        let problems = isDryRun ? [] : try unmountDead()
        let plan =
            isDryRun
            ? try rehearse { try mark($0, isDryRun: true, forgettingSteps) }
            : try write(freeing: true) { try mark($0, isDryRun: false, forgettingSteps) }
        var sweep = Sweep(
            plan,
            layout: layout,
            isDryRun: isDryRun,
            keepsArrivals: keepingArrivals,
            keepsCaches: !forgettingSteps
        )
        sweep.run()
        if !isDryRun { keepRoom() }
        _ = consume lock
        var collection = sweep.collection
        collection.problems = problems + collection.problems
        return collection
    }

    /// Removes the rows that nothing needs; what is left decides about the files.
    private func mark(
        _ connection: Connection,
        isDryRun: Bool,
        _ forgettingSteps: Bool
    ) throws -> CollectionPlan {
        var plan = CollectionPlan()
        let table = MountTable.current()
        for (id, target) in try connection.mountTargets() where !isLive(mount: id) {
            if !isDryRun, table.isDead(FilePath(target)) { continue }  // it could not be unmounted
            _ = try connection.removeMount(id)
            plan.goes(.mount, target, "it is not mounted any more")
        }
        let expired = try connection.rows("SELECT id FROM leases WHERE expires <= ?", now()) {
            try $0[0] as String
        }
        for lease in expired {
            try connection.removeLease(lease)
            plan.goes(.lease, lease, "it has expired")
        }
        try connection.judgeSteps(&plan, limit: forgettingSteps ? nil : Store.stepLimit)
        try connection.judgeUnstarted(&plan, layout)
        try connection.judgeImages(&plan)
        try connection.removeUnusedDocuments()
        try connection.judgeSnapshots(&plan)
        try connection.judgeLayers(&plan)
        plan.blobs = Set(try connection.rows("SELECT digest FROM blobs") { (try $0[0] as Digest).hex })
        plan.containers = Set(try connection.rows("SELECT id FROM containers") { try $0[0] as String })
        plan.mounts = Set(try connection.rows("SELECT id FROM mounts") { "\(try $0[0] as Int64)" })
        let chains = ChainStore(layout: layout)
        for stack in try connection.stacks() {
            if let name = chains.path(for: stack).lastComponent { plan.chains.insert(name.string) }
        }
        return plan
    }
}

/// What the rows say must stay. Names of directory entries are plain ASCII: the store gave them.
struct CollectionPlan: Sendable {
    var verdicts: [Verdict] = []
    var layers: Set<Digest> = []
    /// What these came as.
    var blobs: Set<String> = []
    var chains: Set<String> = []
    /// Of active ones, whose directories are theirs.
    var snapshots: Set<String> = []
    var containers: Set<String> = []
    var mounts: Set<String> = []

    mutating func lives(_ kind: Verdict.Kind, _ name: String, _ reason: String) {
        verdicts.append(Verdict(kind: kind, name: name, lives: true, reason: reason))
    }

    mutating func goes(_ kind: Verdict.Kind, _ name: String, _ reason: String) {
        verdicts.append(Verdict(kind: kind, name: name, lives: false, reason: reason))
    }
}
