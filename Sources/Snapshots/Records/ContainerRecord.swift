import Linux
package import OCI

/// A container: what was asked for. Whether it runs is known only by looking (module Containers).
package struct ContainerRecord: Sendable, Equatable {
    /// 64 hex digits.
    package var id: String
    package var name: String
    package var image: Digest
    /// As the user wrote it.
    package var imageName: String
    /// The key of its active snapshot.
    package var snapshot: String
    /// Unix nanoseconds.
    package var created: Int64
    /// JSON, module Containers' own.
    package var config: [UInt8]

    package init(
        id: String,
        name: String,
        image: Digest,
        imageName: String,
        snapshot: String,
        created: Int64,
        config: [UInt8]
    ) {
        self.id = id
        self.name = name
        self.image = image
        self.imageName = imageName
        self.snapshot = snapshot
        self.created = created
        self.config = config
    }
}

extension ContainerRecord {
    /// Failure where `name` was given for this container, and is the key of another client's snapshot.
    package func check(isNotAlso snapshot: SnapshotRecord, _ name: String) throws {
        guard snapshot.key != self.snapshot else { return }
        throw Failure(
            "\(name) is a container and a snapshot",
            advice:
                "The container is \(id.prefix(12)), too; for the snapshot, commit and remove the container.",
            kind: .failedPrecondition
        )
    }
}
