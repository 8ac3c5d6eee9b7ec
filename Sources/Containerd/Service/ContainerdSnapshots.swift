import Containers
import Linux
package import Snapshots
package import SystemPackage

/// What containerd asks of a snapshotter, over the store that mica has. Thread-safe; every call may wait for the disk or
/// for a daemon.
///
/// Failures are of the kinds that containerd has status codes for. Keys and labels come from outside, and are only ever
/// values in the database: directories are named by numbers.
package final class ContainerdSnapshots: Sendable {
    /// What a key of one may have at most, bytes.
    private static let longestKey = 4096

    let space: ClientSpace
    let mounts: Mounts
    /// Where the mounts of snapshots are, each in a directory named by its number.
    let directory: FilePath
    let locks = KeyLocks()

    /// `directory`: private to this user (`PrivateDirectory`).
    package init(_ store: Store, mountsIn directory: FilePath) {
        space = ClientSpace(store: store)
        mounts = Mounts(store)
        self.directory = directory
    }

    package func stat(_ key: String) throws -> SnapshotInfo {
        try check(key)
        return space.info(try space.snapshot(key))
    }

    /// What meets the filter, parents before their children.
    package func list(_ filter: SnapshotFilter) throws -> [SnapshotInfo] {
        try space.all().map(space.info).filter(filter.isMet)
    }

    /// What it takes by itself, without its parents.
    package func usage(_ key: String) throws -> SnapshotUsage {
        try check(key)
        return try space.usage(key)
    }

    package func update(_ key: String, _ change: LabelChange) throws -> SnapshotInfo {
        try check(key)
        return try locks.locked(key) {
            let labels = change.applied(to: try space.snapshot(key).labels)
            try SnapshotLabels.check(labels)
            return space.info(try space.setLabels(labels, of: key))
        }
    }

    /// What earlier removals and crashes have left goes. Nothing while somebody changes the store: the next time.
    package func cleanUp() throws {
        try removeUnusedDirectories()
        _ = try space.store.collect(waiting: false, keepingArrivals: true)
    }

    func check(_ keys: String...) throws(Failure) {
        for key in keys {
            guard !key.isEmpty, key.utf8.count <= ContainerdSnapshots.longestKey, !key.utf8.contains(0) else {
                throw Failure(
                    "a snapshot's key has one to \(ContainerdSnapshots.longestKey) bytes, none of them zero",
                    kind: .invalidArgument
                )
            }
        }
    }
}
