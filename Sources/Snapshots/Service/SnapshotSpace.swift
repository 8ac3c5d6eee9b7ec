package import Layers
package import Linux
package import OCI

/// The snapshots of one space of the store.
package struct SnapshotSpace: SnapshotService {
    private let store: Store
    private let space: KeySpace

    package init(_ space: KeySpace, of store: Store) { (self.store, self.space) = (store, space) }

    @discardableResult
    package func prepare(
        _ key: String,
        parent: String?,
        labels: [String: String] = [:]
    ) throws -> SnapshotRecord {
        try store.prepare(key, parent: parent, labels: labels, in: space)
    }

    @discardableResult
    package func view(
        _ key: String,
        parent: String?,
        labels: [String: String] = [:]
    ) throws -> SnapshotRecord {
        try store.view(key, parent: parent, labels: labels, in: space)
    }

    package func adopt(
        chain chainID: Digest,
        as name: String,
        parent: String?,
        labels: [String: String] = [:]
    ) throws -> SnapshotRecord? {
        try store.adopt(chain: chainID, as: name, parent: parent, labels: labels, in: space)
    }

    @discardableResult
    package func apply(
        _ blob: Descriptor,
        to key: String,
        reading open: () throws -> some ByteSource
    ) throws -> NewLayer {
        try store.apply(blob, to: key, in: space, reading: open)
    }

    @discardableResult
    package func commit(
        _ key: String,
        as name: String,
        parent: String? = nil,
        labels: [String: String] = [:],
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> SnapshotRecord {
        try store.commit(name: name, key: key, labels: labels, parent: parent, in: space, warn: warn)
    }

    package func snapshot(_ key: String) throws -> SnapshotRecord { try store.snapshot(key, in: space) }

    package func snapshot(numbered id: Int64) throws -> SnapshotRecord? {
        try store.snapshot(numbered: id, in: space)
    }

    package func committed(on parent: String?, labelled name: String, _ value: String) throws
        -> [SnapshotRecord]
    {
        try store.committed(on: parent, labelled: name, value, in: space)
    }

    package func snapshots() throws -> [SnapshotRecord] { try store.snapshots(in: space) }

    @discardableResult
    package func changeLabels(
        of key: String,
        _ change: (inout [String: String]) throws -> Void
    ) throws -> SnapshotRecord {
        try store.changeLabels(of: key, in: space, change)
    }

    package func usage(_ key: String) throws -> SnapshotUsage { try store.usage(key, in: space) }

    package func export(
        _ key: String,
        warn: @escaping (String) -> Void = { _ in },
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try store.export(key, in: space, warn: warn, to: sink)
    }

    package func writeBlob(
        of key: String,
        compressing format: LayerCompression.Format?,
        notAfter latest: Int64? = nil,
        warn: @escaping @Sendable (String) -> Void = { _ in },
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws -> LayerBlobWriter.Blob {
        try store.writeBlob(
            of: key,
            in: space,
            compressing: format,
            notAfter: latest,
            warn: warn,
            to: sink
        )
    }

    package func remove(_ key: String) throws { try store.remove(key, in: space) }
}
