import Linux
import OCI
import Snapshots

extension ContainerdSnapshots {
    /// A new snapshot on `parent` (empty: on nothing), to be written to. alreadyExists where the key is taken, and where
    /// what is to be unpacked into it (label snapshot.ref) is here already, in a committed snapshot that has the label.
    package func prepare(_ key: String, parent: String, labels: [String: String]) throws -> [ServedMount] {
        try check(key)
        try SnapshotLabels.check(labels)
        // What is no digest is no chain that mica could have.
        if let text = labels[SnapshotLabels.chain], let chain = Digest(text),
            try locks.locked("\(chain)", body: { try space.has(chain: chain, on: parent, labels: labels) })
        {
            throw Failure("the chain \(chain) is here already", kind: .alreadyExists)
        }
        return try make(key, labels) { try space.prepare(key, parent: parent, labels: labels) }
    }

    /// A new snapshot that shows `parent`, to be read only.
    package func view(_ key: String, parent: String, labels: [String: String]) throws -> [ServedMount] {
        try make(key, labels) { try space.view(key, parent: parent, labels: labels) }
    }

    /// How to see a snapshot that is there. failedPrecondition for a committed one.
    package func mounts(_ key: String) throws -> [ServedMount] {
        try check(key)
        return try locks.locked(key) { try served(key, space.snapshot(key)) }
    }

    private func make(
        _ key: String,
        _ labels: [String: String],
        _ record: () throws -> SnapshotRecord
    ) throws -> [ServedMount] {
        try check(key)
        try SnapshotLabels.check(labels)
        return try locks.locked(key) {
            let record = try record()
            do { return try served(key, record) } catch {
                // No client knows of it yet.
                try? end(record)
                try? space.remove(key)
                throw error
            }
        }
    }
}
