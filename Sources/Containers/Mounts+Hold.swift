import Layers
import Linux
package import Snapshots
package import SystemPackage

/// Mounts that another program makes visible elsewhere, by bind mounts of them.
extension Mounts {
    /// Shows an active snapshot, or a view (read-only), at the empty directory `target`, unless it is shown somewhere
    /// already; where it is. One whose daemon was killed is mounted again: who has it bound elsewhere has to do that
    /// again, too.
    package func hold(snapshot: SnapshotRecord, at target: FilePath, options: [String]) throws -> FilePath {
        for record in try store.mounts(of: snapshot.key, in: snapshot.space) where record.isLive {
            if try isShown(record, in: .current()) { return record.target }
        }
        try show(snapshot: snapshot, at: target, options: options)
        return resolved(target)
    }

    /// The same at `target` and nowhere else: Failure where it is shown somewhere already.
    package func show(snapshot: SnapshotRecord, at target: FilePath, options: [String]) throws {
        for record in try store.mounts(of: snapshot.key, in: snapshot.space) {
            if record.isLive { try refuse(snapshot.key, unlessEnding: record) }
            if record.isDead {
                try naming("unmount \(record.target)") { try Unmount.unmount(record.target, .lazy) }
            }
            try forget(record)
        }
        let target = resolved(target)
        let table = MountTable.current()
        if let other = table.top(at: target), !table.isDead(target) {
            throw Failure(
                "show snapshot \(snapshot.key) at \(target): \(other.source) is mounted there already",
                advice: "Unmount that first: umount \(target)",
                kind: .failedPrecondition
            )
        }
        let tree = RootTree(
            layers: snapshot.layers,
            snapshot: snapshot.kind == .active ? store.layout.snapshot(snapshot.id) : nil,
            source: Mounts.name(snapshot.key),
            options: options
        )
        try mount(tree, of: snapshot.key, in: snapshot.space, at: target)
    }

    /// A key, as the name of what is mounted: the kernel has a page for that and everything else.
    private static func name(_ key: String) -> String {
        let most = 200
        return key.utf8.count <= most ? key : "\(String(decoding: key.utf8.prefix(most), as: UTF8.self))…"
    }

    /// Ends what shows a snapshot, and waits until what was written is in its upper. failedPrecondition where it can be
    /// seen elsewhere, in this mount namespace or another one: a process uses it. What an unshare(1) has copied, at the same
    /// place in its own namespace, is no use.
    package func endHeld(snapshot: SnapshotRecord) throws {
        for record in try store.mounts(of: snapshot.key, in: snapshot.space) {
            let (lock, table) = (store.mountLock(record.id), MountTable.current())
            if record.isLive, let device = MountDaemon.device(of: lock),
                let other = table.entries.first(where: { $0.device == device && $0.target != record.target })
            {
                // The number may be another mount's by now, where this one is gone and its micafs about to end.
                if try !isShown(record, in: table), Unmount.waitForDaemon(lock) {
                    try forget(record)
                    continue
                }
                throw Failure(
                    "snapshot \(snapshot.key) is in use: it is mounted at \(other.target)",
                    advice: "Unmount it there first.",
                    kind: .failedPrecondition
                )
            }
            guard record.isLive || record.isDead else {
                try forget(record)
                continue
            }
            _ = try unmount(record.target, users: .matterEverywhere, in: snapshot.space)
        }
    }
}
