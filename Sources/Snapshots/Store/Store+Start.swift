import Layers
import Linux
import SystemPackage

extension Store {
    /// On an active snapshot that was made for one mount, without a name of its user's, until that mount answers.
    package static let startingLabel = "mica.starting"

    /// The mount answers: from now on the snapshot is its user's.
    package func noteStart(of key: String) throws {
        // Lost with the machine, it is a mark on a snapshot that is not taken for garbage if anything was written.
        try write(durably: false) { connection in
            try connection.run(
                """
                DELETE FROM snapshot_labels WHERE name = ?
                AND snapshot = (SELECT id FROM snapshots WHERE space = ? AND key = ?)
                """,
                Store.startingLabel,
                KeySpace.own.rawValue,
                key
            )
        }
    }

    /// Removes the snapshots of mounts that were killed while they started. Nothing while a process changes the store.
    package func removeUnstarted() throws {
        let layout = layout
        guard try !read({ try $0.unstarted(layout) }).isEmpty,
            let lock = try FileLock(trying: layout.lock, .exclusive)
        else { return }
        let rows = try write { connection in
            try connection.forgetEndedMounts { self.isLive(mount: $0) }
            let rows = try connection.unstarted(layout).filter { try connection.user(of: $0.row) == nil }
            for (row, _) in rows { try connection.run("DELETE FROM snapshots WHERE id = ?", row) }
            return rows.map(\.row)
        }
        for row in rows { try removeDirectory(of: row) }
        _ = consume lock
    }
}

extension Connection {
    /// Active snapshots whose mount never answered, and into which nothing was written.
    func unstarted(_ layout: StoreLayout) throws -> [(row: Int64, key: String)] {
        try rows(
            """
            SELECT snapshots.id, key FROM snapshots JOIN snapshot_labels ON snapshot = snapshots.id
            WHERE name = ? AND kind = 2 AND space = ? ORDER BY snapshots.id
            """,
            Store.startingLabel,
            KeySpace.own.rawValue
        ) { (row: try $0[0] as Int64, key: try $0[1] as String) }
        .filter { snapshot in
            let upper = layout.snapshot(snapshot.row).appending("upper")
            // What can't be looked at is not taken for empty.
            return try !upper.exists || naming("read \(upper)") { try upper.names() }.isEmpty
        }
    }

    /// Rows of the mounts of such snapshots.
    fileprivate func forgetEndedMounts(_ isLive: (Int64) -> Bool) throws {
        let ids = try rows(
            """
            SELECT mounts.id FROM mounts JOIN snapshot_labels ON mounts.snapshot = snapshot_labels.snapshot
            WHERE snapshot_labels.name = ?
            """,
            Store.startingLabel
        ) { try $0[0] as Int64 }
        for id in ids where !isLive(id) { _ = try removeMount(id) }
    }

    /// Preconditions: rows of mounts that have ended are gone.
    func judgeUnstarted(_ plan: inout CollectionPlan, _ layout: StoreLayout) throws {
        for (row, key) in try unstarted(layout) where try user(of: row) == nil {
            let leases: Int64? = try value("SELECT count(*) FROM lease_snapshots WHERE key = ?", key)
            guard leases == 0 else { continue }
            try run("DELETE FROM snapshots WHERE id = ?", row)
            plan.goes(.snapshot, key, "its mount was killed while it started, and nothing was written")
        }
    }
}
