import Layers
import Linux
package import SystemPackage

extension Store {
    /// Records a mount that is about to be made, its lock file locked already, so that the row is true from
    /// the first moment. `owning`: the snapshot is removed with the mount (a view made for it alone).
    package func addMount(
        of snapshot: String?,
        in space: KeySpace = .own,
        owning: Bool = false,
        source: String,
        at target: FilePath
    ) throws -> NewMount {
        // The collector sweeps lock files that no row knows: it must not look between the file and the row.
        let change = try lockForChange()
        defer { _ = change.raw }
        var locked: FileLock?
        // No mount outlives the machine's run: a row that is lost with it is a row less to remove.
        let record = try write(durably: false) { connection -> MountRecord in
            let row = try snapshot.map { key in
                guard let row = try connection.snapshotRow(key, in: space) else {
                    throw Failure.noSuchSnapshot(key)
                }
                return row
            }
            let created = now()
            try connection.run(
                "INSERT INTO mounts (snapshot, owns, source, target, created) VALUES (?, ?, ?, ?, ?)",
                row,
                owning,
                source,
                target.bytes,
                created
            )
            let id = connection.lastInsertedRow
            locked = try FileLock(trying: mountLock(id))
            return MountRecord(
                id: id,
                snapshot: snapshot,
                space: space,
                source: source,
                target: target,
                created: created,
                isLive: true
            )
        }
        guard let lock = locked.take() else { throw Failure("\(mountLock(record.id)) is locked") }
        return NewMount(record: record, lock: lock)
    }

    /// Removes the row, the lock file, and the snapshot that the mount owns. One that is gone is fine.
    package func removeMount(_ id: Int64) throws {
        let lock = try lockForChange()
        let freed = try write(freeing: true) { try $0.removeMount(id) }
        try naming("remove \(mountLock(id))") { try mountLock(id).unlink() }
        if let freed { try removeDirectory(of: freed) }
        _ = consume lock
    }

    /// All mounts on record, oldest first. One that is not live any more is removed by the collector.
    package func mounts() throws -> [MountRecord] { try mounts { _ in true } }

    /// Those of one snapshot: whether others are live is not asked, which takes a few system calls each.
    package func mounts(of snapshot: String, in space: KeySpace) throws -> [MountRecord] {
        try mounts { $0.isOf(snapshot, in: space) }
    }

    private func mounts(_ isWanted: (MountRecord) -> Bool) throws -> [MountRecord] {
        let records = try read { connection in
            try connection.rows(
                """
                SELECT mounts.id, key, source, target, mounts.created, space FROM mounts
                LEFT JOIN snapshots ON snapshots.id = snapshot ORDER BY mounts.id
                """
            ) {
                MountRecord(
                    id: try $0[0],
                    snapshot: try $0[1],
                    space: try ($0[5] as String?).map { KeySpace(rawValue: $0) } ?? .own,
                    source: try $0[2],
                    target: FilePath(bytes: try $0[3]),
                    created: try $0[4],
                    isLive: true
                )
            }
        }
        var table: MountTable?
        return records.filter(isWanted).map { record in
            var record = record
            record.isLive = isLive(mount: record.id)
            if !record.isLive {
                let now = table ?? .current()
                table = now
                record.isDead = now.isDead(record.target)
            }
            return record
        }
    }

    /// Takes out of the tree what is there of mounts whose micafs was killed. What could not be unmounted, and why.
    func unmountDead() throws -> [String] {
        var problems: [String] = []
        for record in try mounts() where record.isDead {
            do {
                // Lazily: a process that is in it only gets errors from it anyway.
                try Unmount.unmount(record.target, .lazy)
            } catch {
                problems.append("unmount \(record.target), whose micafs is gone: \(error)")
            }
        }
        return problems
    }

    /// The lock file of a mount.
    package func mountLock(_ id: Int64) -> FilePath { layout.mounts.appending(String(id)) }
    /// What its micafs has to say.
    package func mountLog(_ id: Int64) -> FilePath { layout.mounts.appending("\(id).log") }

    func isLive(mount id: Int64) -> Bool {
        // Shared, so that two who look do not see each other.
        guard mountLock(id).exists else { return false }
        guard let lock = try? FileLock(trying: mountLock(id), .shared) else { return true }
        _ = consume lock
        return false
    }
}

extension Connection {
    /// The row of the snapshot that goes with it, whose directory is to be removed.
    func removeMount(_ id: Int64) throws -> Int64? {
        let owned: Int64? = try value(
            "SELECT snapshot FROM mounts WHERE id = ? AND owns AND snapshot IS NOT NULL",
            id
        )
        try run("DELETE FROM mounts WHERE id = ?", id)
        guard let owned else { return nil }
        return try removeUnusedSnapshot(owned) ? owned : nil
    }
}
