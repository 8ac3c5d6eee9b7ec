package import Runner
package import Snapshots

/// A container of the store: what was asked for, and where its files are.
package struct Container: Sendable {
    package let record: ContainerRecord
    package let spec: ContainerSpec
    package let files: ContainerFiles

    /// The first digits of its ID, as docker shows them.
    package var shortID: String { String(record.id.prefix(12)) }
}
