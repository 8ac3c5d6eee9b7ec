import Layers
import Linux
package import Snapshots
import SystemPackage

extension Store {
    /// Copies all data that a container, or an active snapshot, still reads from its image into its upper, so that
    /// other programs can read the upper. failedPrecondition while it is mounted.
    package func materialize(_ name: String) throws {
        let container = try? container(named: name)
        if let container, let named = try? self.snapshot(name) { try container.check(isNotAlso: named, name) }
        let snapshot = try snapshot(container?.snapshot ?? name)
        guard snapshot.kind == .active else {
            throw Failure(
                "snapshot \(name) is \(snapshot.kind.name): only an active one has an upper",
                kind: .failedPrecondition
            )
        }
        if let mount = try mounts().first(where: { $0.isLive && $0.isOf(snapshot.key) }) {
            throw Failure(
                "\(name) is mounted at \(mount.target)",
                advice: container == nil ? "Unmount it first." : "Stop it first.",
                kind: .failedPrecondition
            )
        }
        let directory = layout.snapshot(snapshot.id)
        try DaemonMount(layout).materialize(
            RootTree(layers: snapshot.layers, snapshot: directory, source: snapshot.key)
        )
    }
}
