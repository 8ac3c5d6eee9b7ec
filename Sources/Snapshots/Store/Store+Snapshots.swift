import Layers
import Linux
import OCI
import SystemPackage

extension Store {
    /// Makes an active snapshot on `parent` (a committed one's name; nil: on nothing), with an empty `upper`
    /// that has the attributes of the parent's root directory. alreadyExists when the key is taken, notFound
    /// when the parent is missing, invalidArgument when it is not committed. On disk when this returns, unless it means
    /// nothing after the machine has stopped: then not `durably`.
    @discardableResult
    package func prepare(
        _ key: String,
        parent: String?,
        labels: [String: String] = [:],
        in space: KeySpace = .own,
        durably: Bool = true
    ) throws -> SnapshotRecord {
        let lock = try lockForChange()
        let layers = try read { connection in
            let parent = try connection.parent(parent, of: key, in: space)
            return try parent.map { try connection.layers(of: $0) } ?? []
        }
        let staged = try SnapshotDirectory.stage(layout, over: layers, durably: durably)
        do {
            let record = try write(durably: durably) { connection in
                let parent = try connection.parent(parent, of: key, in: space)
                let row = try connection.addSnapshot(key, in: space, .active, parent: parent, labels: labels)
                try SnapshotDirectory.publish(staged, as: row, in: layout, durably: durably)
                return try connection.snapshotRecord(row)
            }
            _ = consume lock
            return record
        } catch {
            try? staged.removeTree()
            throw error
        }
    }

    /// Makes a snapshot of `parent` that is only read: nothing on disk. Errors as for `prepare`.
    @discardableResult
    package func view(
        _ key: String,
        parent: String?,
        labels: [String: String] = [:],
        in space: KeySpace = .own
    ) throws -> SnapshotRecord {
        try write { connection in
            let parent = try connection.parent(parent, of: key, in: space)
            let row = try connection.addSnapshot(key, in: space, .view, parent: parent, labels: labels)
            return try connection.snapshotRecord(row)
        }
    }

    /// notFound.
    package func snapshot(_ key: String, in space: KeySpace = .own) throws -> SnapshotRecord {
        try read { connection in
            guard let row = try connection.snapshotRow(key, in: space) else {
                throw Failure.noSuchSnapshot(key)
            }
            return try connection.snapshotRecord(row)
        }
    }

    /// The one with this number (`SnapshotRecord.id`); nil where there is none in this space.
    package func snapshot(numbered id: Int64, in space: KeySpace = .own) throws -> SnapshotRecord? {
        try read { connection in
            let row: Int64? = try connection.value(
                "SELECT id FROM snapshots WHERE id = ? AND space = ?",
                id,
                space.rawValue
            )
            return try row.map { try connection.snapshotRecord($0) }
        }
    }

    /// The committed snapshots on `parent` (nil: on nothing) that have a label, oldest first.
    package func committed(
        on parent: String?,
        labelled name: String,
        _ value: String,
        in space: KeySpace = .own
    ) throws -> [SnapshotRecord] {
        try read { connection in
            try connection.rows(
                """
                SELECT snapshots.id FROM snapshots
                JOIN snapshot_labels ON snapshot_labels.snapshot = snapshots.id
                LEFT JOIN snapshots AS parents ON parents.id = snapshots.parent
                WHERE snapshots.space = ? AND snapshots.kind = 3 AND parents.key IS ?
                AND snapshot_labels.name = ? AND snapshot_labels.value = ? ORDER BY snapshots.id
                """,
                space.rawValue,
                parent,
                name,
                value
            ) { try $0[0] as Int64 }
            .map { try connection.snapshotRecord($0) }
        }
    }

    /// Oldest first: a parent before what was made on it.
    package func snapshots(in space: KeySpace = .own) throws -> [SnapshotRecord] {
        try read { try $0.snapshotRecords(in: space) }
    }

    /// Replaces all labels. notFound.
    @discardableResult
    package func setLabels(
        _ labels: [String: String],
        of key: String,
        in space: KeySpace = .own
    ) throws -> SnapshotRecord {
        try changeLabels(of: key, in: space) { $0 = labels }
    }

    /// Changes labels as they are at that moment: no other change comes in between. notFound; what `change` throws,
    /// and then nothing has changed.
    @discardableResult
    package func changeLabels(
        of key: String,
        in space: KeySpace = .own,
        _ change: (inout [String: String]) throws -> Void
    ) throws -> SnapshotRecord {
        try write { connection in
            guard let row = try connection.snapshotRow(key, in: space) else {
                throw Failure.noSuchSnapshot(key)
            }
            var labels = try connection.snapshotRecord(row).labels
            try change(&labels)
            try connection.setLabels(labels, of: row)
            try connection.run("UPDATE snapshots SET updated = ? WHERE id = ?", now(), row)
            return try connection.snapshotRecord(row)
        }
    }

    /// Removes a snapshot, its directory too. notFound; failedPrecondition while another snapshot, an image,
    /// a container or a live mount needs it, and says which.
    package func remove(_ key: String, in space: KeySpace = .own) throws {
        let lock = try lockForChange()
        let row = try write(freeing: true) { connection in
            guard let row = try connection.snapshotRow(key, in: space) else {
                throw Failure.noSuchSnapshot(key)
            }
            for mount in try connection.mounts(of: row) where !isLive(mount: mount) {
                _ = try connection.removeMount(mount)
            }
            if let user = try connection.user(of: row) {
                let isMounted = user.hasPrefix("the mount at ")
                throw Failure(
                    "snapshot \(key) is used by \(user)",
                    advice: isMounted ? "mica mounts says who has it, and mica umount ends that." : nil,
                    kind: .failedPrecondition
                )
            }
            try connection.run("DELETE FROM snapshots WHERE id = ?", row)
            return row
        }
        try removeDirectory(of: row)
        _ = consume lock
    }

    /// What it takes by itself: what its upper has on disk, and its layer's files. notFound.
    package func usage(_ key: String, in space: KeySpace = .own) throws -> SnapshotUsage {
        let record = try snapshot(key, in: space)
        var usage = SnapshotUsage(bytes: 0, inodes: 0)
        if record.kind == .active { usage = try DiskUsage.of(layout.snapshot(record.id).appending("upper")) }
        guard let diffID = record.layer else { return usage }
        let bytes = try read { connection in
            try connection.value("SELECT content_size FROM layers WHERE diffid = ?", diffID) as UInt64?
        }
        usage.bytes += bytes ?? 0
        usage.inodes += try inodes(inLayer: diffID)
        return usage
    }

    /// The directory of a snapshot that has no row any more.
    func removeDirectory(of row: Int64) throws {
        let directory = layout.snapshot(row)
        try naming("remove \(directory)") {
            try makingRoom { () throws(Errno) in try directory.removeTree() }
        }
        keepRoom()
    }
}

extension Failure {
    static func noSuchSnapshot(_ key: String) -> Failure {
        Failure("no such snapshot: \(key)", kind: .notFound)
    }
}
