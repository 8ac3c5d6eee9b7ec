import Linux
import Snapshots

extension ContainerdSnapshots {
    /// Makes the committed snapshot `name` of the active one `key`, which goes. Its labels are those that are given
    /// here. `parent`: only for one that has none. failedPrecondition while it is mounted.
    package func commit(_ key: String, as name: String, parent: String, labels: [String: String]) throws {
        try check(key, name)
        try SnapshotLabels.check(labels)
        try locks.locked(key, name) {
            let record = try space.snapshot(key)
            guard record.kind == .active else {
                throw Failure(
                    "snapshot \(key) can't be committed: it is not active but \(record.kind.name)",
                    kind: .failedPrecondition
                )
            }
            // Before its mount is ended for nothing.
            guard try space.unlessMissing({ try space.snapshot(name) }) == nil else {
                throw Failure("snapshot \(name) exists already", kind: .alreadyExists)
            }
            try end(record)
            try space.commit(key, as: name, parent: parent, labels: labels)
        }
    }

    /// notFound; failedPrecondition while it has children, or is mounted.
    package func remove(_ key: String) throws {
        try check(key)
        try locks.locked(key) {
            let record = try space.snapshot(key)
            if record.kind != .committed { try end(record) }
            do { try space.remove(key) } catch var failure as Failure
                where failure.kind == .failedPrecondition
            {
                failure.message = "snapshot \(key) can't be removed: \(failure.message)"
                throw failure
            }
        }
    }
}
