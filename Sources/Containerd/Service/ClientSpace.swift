import Layers
import Linux
import Snapshots

/// The snapshots of containerd's in the store, which mica's own commands leave alone, and which have keys of their own: a
/// key here is the client's.
struct ClientSpace: Sendable {
    static let prefix = "containerd/"

    let store: Store

    /// The key in the store.
    func key(_ key: String) -> String { ClientSpace.prefix + key }

    func prepare(_ key: String, parent: String, labels: [String: String]) throws -> SnapshotRecord {
        try store.prepare(self.key(key), parent: self.parent(parent), labels: labels)
    }

    func view(_ key: String, parent: String, labels: [String: String]) throws -> SnapshotRecord {
        try store.view(self.key(key), parent: self.parent(parent), labels: labels)
    }

    /// notFound.
    func snapshot(_ key: String) throws -> SnapshotRecord { try store.snapshot(self.key(key)) }

    /// Parents before their children.
    func all() throws -> [SnapshotRecord] {
        try store.snapshots().filter { $0.key.hasPrefix(ClientSpace.prefix) }
    }

    func setLabels(_ labels: [String: String], of key: String) throws -> SnapshotRecord {
        try store.setLabels(labels, of: self.key(key))
    }

    func commit(_ key: String, as name: String, parent: String, labels: [String: String]) throws {
        try store.commit(
            name: self.key(name),
            key: self.key(key),
            labels: labels,
            parent: self.parent(parent)
        )
    }

    func remove(_ key: String) throws { try store.remove(self.key(key)) }

    func usage(_ key: String) throws -> SnapshotUsage { try store.usage(self.key(key)) }

    func info(_ record: SnapshotRecord) -> SnapshotInfo {
        SnapshotInfo(
            name: name(record.key),
            parent: record.parent.map { name($0) } ?? "",
            kind: record.kind,
            labels: record.labels,
            created: record.created,
            updated: record.updated
        )
    }

    private func parent(_ name: String) -> String? { name.isEmpty ? nil : key(name) }
    private func name(_ key: String) -> String {
        key.hasPrefix(ClientSpace.prefix) ? String(key.dropFirst(ClientSpace.prefix.count)) : key
    }
}
