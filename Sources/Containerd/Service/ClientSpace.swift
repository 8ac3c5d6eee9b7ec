import Layers
import Linux
import Snapshots

/// The snapshots of containerd's in the store, in a space of their own: mica's commands neither see nor remove them, and
/// a key is the client's.
struct ClientSpace: Sendable {
    let store: Store
    private let snapshots: SnapshotSpace

    init(store: Store) { (self.store, snapshots) = (store, SnapshotSpace(.containerd, of: store)) }

    func prepare(_ key: String, parent: String, labels: [String: String]) throws -> SnapshotRecord {
        try snapshots.prepare(key, parent: self.parent(parent), labels: labels)
    }

    func view(_ key: String, parent: String, labels: [String: String]) throws -> SnapshotRecord {
        try snapshots.view(key, parent: self.parent(parent), labels: labels)
    }

    /// notFound.
    func snapshot(_ key: String) throws -> SnapshotRecord { try snapshots.snapshot(key) }

    /// Parents before their children.
    func all() throws -> [SnapshotRecord] { try snapshots.snapshots() }

    func setLabels(_ labels: [String: String], of key: String) throws -> SnapshotRecord {
        try snapshots.changeLabels(of: key) { $0 = labels }
    }

    func commit(_ key: String, as name: String, parent: String, labels: [String: String]) throws {
        try snapshots.commit(key, as: name, parent: self.parent(parent), labels: labels)
    }

    func remove(_ key: String) throws { try snapshots.remove(key) }

    func usage(_ key: String) throws -> SnapshotUsage { try snapshots.usage(key) }

    func info(_ record: SnapshotRecord) -> SnapshotInfo {
        SnapshotInfo(
            name: record.key,
            parent: record.parent ?? "",
            kind: record.kind,
            labels: record.labels,
            created: record.created,
            updated: record.updated
        )
    }

    private func parent(_ name: String) -> String? { name.isEmpty ? nil : name }
}
