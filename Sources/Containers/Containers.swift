package import Snapshots

import FoundationEssentials
import Linux
import Runner
import SystemPackage

/// The containers of a store.
///
/// Lock order: a container's lock, or that of its configuration, then the store's locks.
package struct Containers: Sendable {
    package let store: Store
    let roots: any RootMount

    package init(_ store: Store) { self.init(store, roots: DaemonMount(store.layout)) }

    /// `roots`: mounts the containers' root filesystems.
    package init(_ store: Store, roots: any RootMount) {
        self.store = store
        self.roots = roots
    }

    /// By name, ID or unique prefix of an ID. Failure (notFound).
    package func container(named name: String) throws -> Container {
        try container(try store.container(named: name))
    }

    /// Newest first.
    package func all() throws -> [Container] { try store.containers().map { try container($0) } }

    /// Records a container's state, durably unless the container is removed at its end. Works on a disk that the
    /// container has filled.
    func write(_ state: ContainerState, of container: Container) throws {
        let bytes = Array(try JSONEncoder().encode(state))
        let path = container.files.state
        try naming("write \(path)") {
            try store.makingRoom { () throws(Errno) in
                try path.replace(with: bytes, mode: 0o600, durably: !container.spec.removeAtExit)
            }
        }
    }

    func container(_ record: ContainerRecord) throws -> Container {
        let spec: ContainerSpec
        do {
            spec = try JSONDecoder().decode(ContainerSpec.self, from: Data(record.config))
        } catch {
            throw Failure("the configuration of container \(record.name) can't be read: \(error)")
        }
        return Container(record: record, spec: spec, files: ContainerFiles(record.id, layout: store.layout))
    }
}
