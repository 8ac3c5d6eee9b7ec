package import Layers
package import Linux
package import OCI

/// What may be asked by who serves snapshots to others: containerd's vocabulary, over the store that `mica` uses.
///
/// **Keys** are any text that is not empty and has no NUL (`namespace/number/key`); active snapshots, views and committed
/// ones share one space of them, which is the service's own: nothing of another space is seen, named or removed through
/// it. Layers are shared with all spaces, so that no layer is stored twice, and what a snapshot of any space has, no
/// collection takes. Nor does a collection take a snapshot of another space than mica's own.
///
/// **Errors** are `Failure`s; their `kind` is the status that a client gets.
///
/// | kind | is |
/// | --- | --- |
/// | notFound | no snapshot has this key, or this parent |
/// | alreadyExists | the key, or the name, is taken |
/// | invalidArgument | an empty key; a parent that is not committed, or is another than the snapshot has |
/// | failedPrecondition | not active, where it has to be; children or a mount, where there must be none; written to |
/// | noSpace | a filesystem or a quota is full |
/// | other | the rest: what a blob turns out to be, what the store has lost, what the system refuses |
///
/// **Atomicity.** Each call is one transaction of the one database: after a kill, or a stop of the machine, at any moment
/// it has happened or it has not. What a call has reported is on disk. A removal and a commit take the snapshot's
/// directory away afterwards; what a kill leaves of it, `collect` finishes.
///
/// **Concurrency.** Any number of threads and processes may call at once. A call waits while a collection sweeps, and for
/// other transactions; none waits for a mount, a client or another call's stream. Two that change the same snapshot: one
/// is refused.
package protocol SnapshotService: Sendable {
    /// An active snapshot with an empty upper, on a committed parent or on nothing.
    ///
    /// alreadyExists, notFound (the parent), invalidArgument.
    func prepare(_ key: String, parent: String?, labels: [String: String]) throws -> SnapshotRecord

    /// A snapshot that is only read. Nothing on disk. Fails as `prepare`.
    func view(_ key: String, parent: String?, labels: [String: String]) throws -> SnapshotRecord

    /// A committed snapshot of a layer that the store has already, where it makes the chain `chainID` on `parent`; nil
    /// where the store lacks it. Fails as `prepare`.
    func adopt(
        chain chainID: Digest,
        as name: String,
        parent: String?,
        labels: [String: String]
    ) throws -> SnapshotRecord?

    /// Makes a layer the content of an active snapshot to which nothing was written, as if its blob had been unpacked
    /// there. `open` is called at most once, not at all for a blob that the store knows. Returns the layer: its diffID
    /// and the size of its tar.
    ///
    /// notFound, failedPrecondition (not active, mounted, written to, another layer already), other (the blob).
    func apply(_ blob: Descriptor, to key: String, reading open: () throws -> some ByteSource) throws
        -> NewLayer

    /// The committed snapshot `name` of the active one `key`, which goes: of the layer that was applied to it, or of what
    /// its upper has. Labels are those given here. `parent`: only for one that has none.
    ///
    /// notFound (the key, the parent), alreadyExists (the name), invalidArgument (the parent), failedPrecondition (not
    /// active, mounted, written to after a layer was applied). `warn` hears of what no layer can hold.
    func commit(
        _ key: String,
        as name: String,
        parent: String?,
        labels: [String: String],
        warn: @escaping @Sendable (String) -> Void
    ) throws -> SnapshotRecord

    /// notFound.
    func snapshot(_ key: String) throws -> SnapshotRecord

    /// The one with this number (`SnapshotRecord.id`), where this space has it.
    func snapshot(numbered id: Int64) throws -> SnapshotRecord?

    /// The committed snapshots on `parent` (nil: on nothing) that have a label.
    func committed(on parent: String?, labelled name: String, _ value: String) throws -> [SnapshotRecord]

    /// All of one moment, oldest first.
    func snapshots() throws -> [SnapshotRecord]

    /// Changes labels, by what they are at that moment. notFound; what `change` throws, and then nothing has changed.
    func changeLabels(of key: String, _ change: (inout [String: String]) throws -> Void) throws
        -> SnapshotRecord

    /// What it takes without its parents. notFound.
    func usage(_ key: String) throws -> SnapshotUsage

    /// The tar of what it changed in its parent. The pieces must not count before this returns.
    ///
    /// notFound, failedPrecondition (a view; written to after a layer was applied).
    func export(
        _ key: String,
        warn: @escaping (String) -> Void,
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws

    /// The same as a blob: `format` nil for the tar as it is; no time in it is after `latest`, Unix nanoseconds.
    func writeBlob(
        of key: String,
        compressing format: LayerCompression.Format?,
        notAfter latest: Int64?,
        warn: @escaping @Sendable (String) -> Void,
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws -> LayerBlobWriter.Blob

    /// notFound, failedPrecondition (children, a live mount).
    func remove(_ key: String) throws
}
