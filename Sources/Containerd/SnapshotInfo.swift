package import Snapshots

/// What containerd is told of a snapshot.
package struct SnapshotInfo: Sendable, Equatable {
    package var name: String
    /// Empty at the bottom.
    package var parent: String
    package var kind: SnapshotRecord.Kind
    /// Without those that are the service's own.
    package var labels: [String: String]
    /// Unix nanoseconds.
    package var created: Int64
    package var updated: Int64

    package init(
        name: String,
        parent: String = "",
        kind: SnapshotRecord.Kind,
        labels: [String: String] = [:],
        created: Int64 = 0,
        updated: Int64 = 0
    ) {
        self.name = name
        self.parent = parent
        self.kind = kind
        self.labels = labels
        self.created = created
        self.updated = updated
    }

    /// What it takes in a message at most, bytes.
    package var size: Int {
        labels.reduce(200 + name.utf8.count + parent.utf8.count) {
            $0 + 24 + $1.key.utf8.count + $1.value.utf8.count
        }
    }
}
