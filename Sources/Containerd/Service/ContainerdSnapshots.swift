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

    /// The type of mounts that are made with micad as mount(8)'s helper.
    static let helper = "fuse3.micad"

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
            let record = try space.changeLabels(of: key) { labels in
                let old = labels
                labels = change.applied(to: old)
                try SnapshotLabels.check(labels, changedFrom: old)
            }
            return space.info(record)
        }
    }

    /// What earlier removals and crashes have left goes; returns how many bytes that was. Nothing goes while another
    /// process or request changes the store: the next call does it.
    @discardableResult
    package func cleanUp() throws -> UInt64 {
        try removeUnusedDirectories()
        return try space.store.collect(waiting: false, keepingArrivals: true)?.bytes ?? 0
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
