import Layers
import Linux
import OCI
import Snapshots

/// The snapshots of containerd's in the store, in a space of their own: mica's commands neither see nor remove them, and
/// a key is the client's.
struct ClientSpace: Sendable {
    let store: Store
    private let snapshots: SnapshotSpace

    init(store: Store) { (self.store, snapshots) = (store, SnapshotSpace(.containerd, of: store)) }

    func prepare(_ key: String, parent: String, labels: [String: String]) throws -> SnapshotRecord {
        try snapshots.prepare(key, parent: self.parent(parent), labels: labels)
    }

    func view(_ key: String, parent: String, labels: [String: String]) throws -> SnapshotRecord {
        try snapshots.view(key, parent: self.parent(parent), labels: labels)
    }

    /// notFound.
    func snapshot(_ key: String) throws -> SnapshotRecord { try snapshots.snapshot(key) }

    func snapshot(numbered id: Int64) throws -> SnapshotRecord? { try snapshots.snapshot(numbered: id) }

    /// Whether there is a committed snapshot of this chain on `parent`, which has its label; one is made where the store
    /// has the layer, whichever client brought it.
    func has(chain: Digest, on parent: String, labels: [String: String]) throws -> Bool {
        let base = self.parent(parent)
        let known = try snapshots.committed(on: base, labelled: SnapshotLabels.chain, "\(chain)")
        if known.contains(where: { ClientSpace.isTrue($0, chain) }) { return true }
        // The name is the service's to choose: the chain's own may be taken.
        let isFree = try unlessMissing { try snapshot("\(chain)") } == nil
        let name = isFree ? "\(chain)" : "\(chain) on \(parent) \(UInt64.random(in: 0 ... .max))"
        return try snapshots.adopt(chain: chain, as: name, parent: base, labels: labels) != nil
    }

    func apply(_ blob: Descriptor, to key: String, reading open: () throws -> some ByteSource) throws
        -> NewLayer
    {
        try snapshots.apply(blob, to: key, reading: open)
    }

    func writeBlob(
        of key: String,
        compressing format: LayerCompression.Format?,
        notAfter latest: Int64?,
        warn: @escaping @Sendable (String) -> Void,
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws -> LayerBlobWriter.Blob {
        try snapshots.writeBlob(of: key, compressing: format, notAfter: latest, warn: warn, to: sink)
    }

    /// nil for what is notFound.
    func unlessMissing<R>(_ body: () throws -> R) throws -> R? {
        do { return try body() } catch let failure as Failure where failure.kind == .notFound { return nil }
    }

    /// Parents before their children.
    func all() throws -> [SnapshotRecord] { try snapshots.snapshots() }

    /// Changes labels, by what they are at that moment.
    func changeLabels(of key: String, _ change: (inout [String: String]) throws -> Void) throws
        -> SnapshotRecord
    {
        try snapshots.changeLabels(of: key, change)
    }

    func commit(_ key: String, as name: String, parent: String, labels: [String: String]) throws {
        try snapshots.commit(key, as: name, parent: self.parent(parent), labels: labels)
    }

    func remove(_ key: String) throws { try snapshots.remove(key) }

    func usage(_ key: String) throws -> SnapshotUsage { try snapshots.usage(key) }

    /// As the client is told of it. What a label says to be a committed snapshot's chain is only told where it is: in
    /// another namespace, a client takes what has the label for the layers of an image.
    func info(_ record: SnapshotRecord) -> SnapshotInfo {
        var labels = record.labels
        if record.kind == .committed, let chain = labels[SnapshotLabels.chain],
            Digest(chain).map({ ClientSpace.isTrue(record, $0) }) != true
        {
            labels[SnapshotLabels.chain] = nil
        }
        return SnapshotInfo(
            name: record.key,
            parent: record.parent ?? "",
            kind: record.kind,
            labels: labels,
            created: record.created,
            updated: record.updated
        )
    }

    private static func isTrue(_ record: SnapshotRecord, _ chain: Digest) -> Bool {
        ChainID.all(of: record.layers).last == chain
    }

    private func parent(_ name: String) -> String? { name.isEmpty ? nil : name }
}
