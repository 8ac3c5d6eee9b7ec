import Layers
import Linux
import OCI
import SystemPackage

extension Store {
    /// Makes an active snapshot on `parent` (a committed one's name; nil: on nothing), with an empty `upper`
    /// that has the attributes of the parent's root directory. alreadyExists when the key is taken, notFound
    /// when the parent is missing, invalidArgument when it is not committed.
    @discardableResult
    package func prepare(
        _ key: String,
        parent: String?,
        labels: [String: String] = [:]
    ) throws -> SnapshotRecord {
        let lock = try lockForChange()
        let layers = try read { connection in
            let parent = try connection.parent(parent, of: key)
            return try parent.map { try connection.layers(of: $0) } ?? []
        }
        let staged = try SnapshotDirectory.stage(layout, over: layers)
        do {
            let record = try write { connection in
                let parent = try connection.parent(parent, of: key)
                let row = try connection.addSnapshot(key, .active, parent: parent, labels: labels)
                try SnapshotDirectory.publish(staged, as: row, in: layout)
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
        labels: [String: String] = [:]
    ) throws -> SnapshotRecord {
        try write { connection in
            let parent = try connection.parent(parent, of: key)
            let row = try connection.addSnapshot(key, .view, parent: parent, labels: labels)
            return try connection.snapshotRecord(row)
        }
    }

    /// notFound.
    package func snapshot(_ key: String) throws -> SnapshotRecord {
        try read { connection in
            guard let row = try connection.snapshotRow(key) else { throw Failure.noSuchSnapshot(key) }
            return try connection.snapshotRecord(row)
        }
    }

    /// Oldest first; parents before their children.
    package func snapshots() throws -> [SnapshotRecord] {
        try read { connection in
            try connection.rows("SELECT id FROM snapshots ORDER BY id") { try $0[0] as Int64 }
                .map { try connection.snapshotRecord($0) }
        }
    }

    /// Replaces all labels. notFound.
    @discardableResult
    package func setLabels(_ labels: [String: String], of key: String) throws -> SnapshotRecord {
        try write { connection in
            guard let row = try connection.snapshotRow(key) else { throw Failure.noSuchSnapshot(key) }
            try connection.setLabels(labels, of: row)
            try connection.run("UPDATE snapshots SET updated = ? WHERE id = ?", now(), row)
            return try connection.snapshotRecord(row)
        }
    }

    /// Removes a snapshot, its directory too. notFound; failedPrecondition while another snapshot, an image,
    /// a container or a live mount needs it, and says which.
    package func remove(_ key: String) throws {
        let lock = try lockForChange()
        let row = try write(freeing: true) { connection in
            guard let row = try connection.snapshotRow(key) else { throw Failure.noSuchSnapshot(key) }
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

    /// What it takes by itself. Active: what its upper has on disk. Committed: its layer's files. notFound.
    package func usage(_ key: String) throws -> SnapshotUsage {
        let record = try snapshot(key)
        switch record.kind {
        case .view: return SnapshotUsage(bytes: 0, inodes: 0)
        case .active: return try DiskUsage.of(layout.snapshot(record.id).appending("upper"))
        case .committed:
            guard let diffID = record.layers.last else { return SnapshotUsage(bytes: 0, inodes: 0) }
            let bytes = try read { connection in
                try connection.value("SELECT content_size FROM layers WHERE diffid = ?", diffID) as UInt64?
            }
            return SnapshotUsage(bytes: bytes ?? 0, inodes: try inodes(inLayer: diffID))
        }
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
