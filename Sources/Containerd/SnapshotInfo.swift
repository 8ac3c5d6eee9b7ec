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
}
