import Linux
import OCI

extension Connection {
    func snapshotRecord(_ row: Int64) throws -> SnapshotRecord {
        let labels = try rows("SELECT name, value FROM snapshot_labels WHERE snapshot = ?", row) {
            (try $0[0] as String, try $0[1] as String)
        }
        let layers = try layers(of: row)
        let record = try first(
            """
            SELECT child.space, child.key, child.kind, above.key, child.layer, child.created, child.updated
            FROM snapshots AS child LEFT JOIN snapshots AS above ON above.id = child.parent WHERE child.id = ?
            """,
            row
        ) {
            SnapshotRecord(
                key: try $0[1],
                space: KeySpace(rawValue: try $0[0]),
                id: row,
                kind: try $0[2],
                parent: try $0[3],
                layers: layers,
                layer: try $0[4] as Int64? == nil ? nil : layers.last,
                // Names of other bytes may be the same text to Swift: é has two spellings.
                labels: Dictionary(labels, uniquingKeysWith: { $1 }),
                created: try $0[5],
                updated: try $0[6]
            )
        }
        guard let record else { throw Failure("snapshot row \(row) is gone") }
        return record
    }

    /// The same of all in a space, oldest first: each row is read once, however many are below it.
    func snapshotRecords(in space: KeySpace) throws -> [SnapshotRecord] {
        var labels: [Int64: [String: String]] = [:]
        for (row, name, value) in try rows(
            """
            SELECT snapshot, name, value FROM snapshot_labels JOIN snapshots ON snapshots.id = snapshot
            WHERE space = ?
            """,
            space.rawValue,
            read: { (try $0[0] as Int64, try $0[1] as String, try $0[2] as String) }
        ) {
            labels[row, default: [:]][name] = value
        }
        var records: [SnapshotRecord] = []
        var places: [Int64: Int] = [:]
        // A parent is older than what was made on it; one that a commit has given a parent may be older than that.
        var late: [Int64] = []
        for (row, parent, diffID, record) in try rows(
            """
            SELECT snapshots.id, parent, diffid, key, kind, created, updated FROM snapshots
            LEFT JOIN layers ON layers.id = layer WHERE space = ? ORDER BY snapshots.id
            """,
            space.rawValue,
            read: { row in
                let id: Int64 = try row[0]
                let record = SnapshotRecord(
                    key: try row[3],
                    space: space,
                    id: id,
                    kind: try row[4],
                    parent: nil,
                    layers: [],
                    layer: try row[2],
                    labels: labels[id] ?? [:],
                    created: try row[5],
                    updated: try row[6]
                )
                return (id, try row[1] as Int64?, try row[2] as Digest?, record)
            }
        ) {
            var record = record
            places[row] = records.count
            if let parent, let place = places[parent] {
                record.parent = records[place].key
                record.layers = records[place].layers
            } else if parent != nil {
                late.append(row)
            }
            if let diffID { record.layers.append(diffID) }
            records.append(record)
        }
        guard late.isEmpty else { return try records.map { try snapshotRecord($0.id) } }
        return records
    }
}
