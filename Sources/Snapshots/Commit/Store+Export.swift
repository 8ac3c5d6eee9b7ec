import Changes
import Layers
import Linux
import OCI
import SystemPackage

extension Store {
    /// Writes what a snapshot changed in its parent, as the tar of a layer: of a committed one byte for byte what was
    /// committed, of an active one what its upper has, at a cost that grows with that. Each file of one that is being
    /// written to is as it was at some moment. The pieces must not count before this returns.
    ///
    /// notFound; failedPrecondition of a view, and where an active one was written to after a layer had been applied.
    package func export(
        _ key: String,
        in space: KeySpace = .own,
        warn: @escaping (String) -> Void = { _ in },
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let lock = try lockForChange()
        let snapshot = try snapshot(key, in: space)
        let upper = layout.snapshot(snapshot.id).appending("upper")
        switch (snapshot.kind, snapshot.layer) {
        case (.view, _):
            throw Failure("snapshot \(key) is a view: it has changed nothing", kind: .failedPrecondition)
        case (.active, nil):
            let subject = Subject(name: key, layers: snapshot.layers, upper: upper, image: nil)
            try subject.tree(layout).writeLayer(warn: warn, to: sink)
        case (let kind, let layer?):
            if kind == .active, try !RootDirectory(of: snapshot.layers, layout).isUntouched(upper) {
                throw Failure(
                    "snapshot \(key) was written to after layer \(layer) had been applied to it",
                    kind: .failedPrecondition
                )
            }
            try LayerExport(layout: layout).write(layer, to: sink)
        case (.committed, nil):
            throw Failure("snapshot \(key) has no layer")
        }
        _ = consume lock
    }
}
