import Containers
import Glibc
import Layers
import Linux
package import Snapshots
package import SystemPackage

extension ContainerdSnapshots {
    package var root: FilePath { space.store.layout.root }

    /// Throws where the store can't be read.
    package func probe() throws {
        do { _ = try space.snapshot("/") } catch let failure as Failure where failure.kind == .notFound {}
    }

    /// Mounts an active snapshot at `target`, for a client that unpacks by itself.
    package static func mount(
        _ number: SnapshotNumber,
        of store: Store,
        at target: FilePath,
        isReadOnly: Bool
    ) throws {
        guard let record = try store.snapshot(numbered: number.id, in: .containerd),
            record.kind == .active
        else {
            throw Failure("there is no active snapshot \(number.id)", kind: .notFound)
        }
        let options = try SnapshotLabels.mountOptions(record.labels) + (isReadOnly ? ["ro"] : [])
        try Mounts(store).show(snapshot: record, at: target, options: options)
    }
}
