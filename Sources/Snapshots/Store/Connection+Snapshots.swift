import Linux
import OCI

extension Connection {
    func snapshotRow(_ key: String, in space: KeySpace = .own) throws -> Int64? {
        try value("SELECT id FROM snapshots WHERE space = ? AND key = ?", space.rawValue, key)
    }

    /// The row of the parent a new snapshot is to have, once it is certain that `key` may be made on it.
    func parent(_ parent: String?, of key: String, in space: KeySpace = .own) throws -> Int64? {
        guard !key.isEmpty, !key.utf8.contains(0) else {
            throw Failure("a snapshot's key is not empty", kind: .invalidArgument)
        }
        guard try snapshotRow(key, in: space) == nil else {
            throw Failure("snapshot \(key) exists already", kind: .alreadyExists)
        }
        if space == .own, let id: String = try value("SELECT id FROM containers WHERE name = ?", key) {
            throw Failure(
                "the name \"\(key)\" is in use by container \(id.prefix(12))",
                advice: "Choose another name: commands that take both would not know which is meant.",
                kind: .alreadyExists
            )
        }
        guard let parent else { return nil }
        let found = try first(
            "SELECT id, kind FROM snapshots WHERE space = ? AND key = ?",
            space.rawValue,
            parent
        ) {
            (row: try $0[0] as Int64, kind: try $0[1] as SnapshotRecord.Kind)
        }
        guard let found else { throw Failure.noSuchSnapshot(parent) }
        guard found.kind == .committed else {
            throw Failure(
                "snapshot \(parent) can't be a parent: it is not committed but \(found.kind.name)",
                kind: .invalidArgument
            )
        }
        return found.row
    }

    func addSnapshot(
        _ key: String,
        in space: KeySpace = .own,
        _ kind: SnapshotRecord.Kind,
        parent: Int64?,
        layer: Int64? = nil,
        labels: [String: String]
    ) throws -> Int64 {
        let time = now()
        try run(
            """
            INSERT INTO snapshots (space, key, kind, parent, layer, created, updated)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            space.rawValue,
            key,
            kind,
            parent,
            layer,
            time,
            time
        )
        let row = lastInsertedRow
        try setLabels(labels, of: row)
        return row
    }

    func setLabels(_ labels: [String: String], of row: Int64) throws {
        try run("DELETE FROM snapshot_labels WHERE snapshot = ?", row)
        for (name, value) in labels.sorted(by: { $0.key < $1.key }) {
            try run("INSERT INTO snapshot_labels (snapshot, name, value) VALUES (?, ?, ?)", row, name, value)
        }
    }

    /// diffIDs of a snapshot and of all below it, bottom to top: `SnapshotRecord.layers`.
    func layers(of row: Int64) throws -> [Digest] {
        try rows(
            """
            WITH RECURSIVE stack (parent, layer, depth) AS (
                SELECT parent, layer, 0 FROM snapshots WHERE id = ?
                UNION ALL
                SELECT snapshots.parent, snapshots.layer, depth + 1
                FROM stack JOIN snapshots ON snapshots.id = stack.parent
            )
            SELECT diffid FROM stack JOIN layers ON layers.id = stack.layer ORDER BY depth DESC
            """,
            row
        ) { try $0[0] as Digest }
    }

    func mounts(of row: Int64) throws -> [Int64] {
        try rows("SELECT id FROM mounts WHERE snapshot = ?", row) { try $0[0] as Int64 }
    }

    /// Who keeps a snapshot from being removed, in words.
    func user(of row: Int64) throws -> String? {
        let children: String? = try value("SELECT key FROM snapshots WHERE parent = ? LIMIT 1", row)
        if let child = children { return "snapshot \(child)" }
        let images: Digest? = try value("SELECT digest FROM images WHERE top = ? LIMIT 1", row)
        if let image = images { return "image \(image)" }
        let containers: String? = try value("SELECT name FROM containers WHERE snapshot = ? LIMIT 1", row)
        if let container = containers { return "container \(container)" }
        let mounts: [UInt8]? = try value("SELECT target FROM mounts WHERE snapshot = ? LIMIT 1", row)
        if let target = mounts { return "the mount at \(String(decoding: target, as: UTF8.self))" }
        return nil
    }

    /// Removes a snapshot's row if nothing needs it. Returns whether it went.
    func removeUnusedSnapshot(_ row: Int64) throws -> Bool {
        guard try user(of: row) == nil else { return false }
        try run("DELETE FROM snapshots WHERE id = ?", row)
        return changes > 0
    }
}

extension SnapshotRecord.Kind: SQLConvertible {
    package var sqlValue: SQLValue { .integer(rawValue) }

    package init?(_ value: SQLValue) {
        guard case .integer(let integer) = value else { return nil }
        self.init(rawValue: integer)
    }
}
