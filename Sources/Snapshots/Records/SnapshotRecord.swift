package import OCI

/// A snapshot, in containerd's vocabulary: an *active* one is written to and becomes a *committed* one,
/// which never changes and is what others have as their parent; a *view* is only read.
package struct SnapshotRecord: Sendable, Equatable {
    /// The values are containerd's.
    package enum Kind: Int64, Sendable {
        case view = 1
        case active = 2
        case committed = 3

        package var name: String {
            switch self {
            case .view: "view"
            case .active: "active"
            case .committed: "committed"
            }
        }
    }

    /// A key while it is active or a view, a name once it is committed: both unique in its space.
    package var key: String
    package var space: KeySpace
    /// The directory of an active one is `StoreLayout.snapshot(id)`, with `upper` and `work` in it.
    package var id: Int64
    package var kind: Kind
    /// The name of a committed snapshot; nil at the bottom.
    package var parent: String?
    /// diffIDs, bottom to top, of what is below its upper: the parent's, and its own.
    package var layers: [Digest]
    /// Its own: what a committed one was committed as, or was applied to an active one. The last of `layers`.
    package var layer: Digest?
    package var labels: [String: String]
    /// Unix nanoseconds.
    package var created: Int64
    package var updated: Int64
}

/// What a snapshot takes by itself, without its parents.
package struct SnapshotUsage: Sendable, Equatable {
    /// On disk, hard links counted once.
    package var bytes: UInt64
    package var inodes: UInt64

    package init(bytes: UInt64, inodes: UInt64) {
        self.bytes = bytes
        self.inodes = inodes
    }
}
