import SystemPackage
import Snapshots
package import Runner

import FoundationEssentials
import Linux

extension Containers {
    /// Renames a container. Failure (alreadyExists) when the name is taken.
    package func rename(_ container: Container, to name: String) throws {
        try ContainerName.check(name)
        try store.rename(container: container.record.id, to: name)
        // The store renames nothing, and reports nothing, when the container has been removed meanwhile.
        guard try store.containers().contains(where: { $0.id == container.record.id }) else {
            throw Failure("no such container: \(container.record.name)", kind: .notFound)
        }
        tell("rename", of: container, ["name": name, "oldName": container.record.name])
    }

    /// Changes resource limits: at once in a running container, and for every later start. A limit that is nil
    /// stays. Failure, and nothing is changed, where a limit can't be enforced.
    package func update(_ container: Container, _ changes: Resources) throws {
        let lock = try naming("lock \(container.files.configLock)") {
            try FileLock(container.files.configLock)
        }
        // Another process may have changed the spec before we got the lock.
        var spec = try self.container(named: container.record.id).spec
        var resources = spec.resources ?? Resources()
        resources.memory = changes.memory ?? resources.memory
        resources.milliCPUs = changes.milliCPUs ?? resources.milliCPUs
        resources.processes = changes.processes ?? resources.processes
        spec.resources = resources
        if status(of: container).phase.isAlive {
            try changes.apply(to: container.record.id, in: ControlGroupHierarchy.all(), isChange: true)
        }
        let json = try Containers.json(spec)
        try store.update(container: container.record.id, config: json)
        try container.files.replace(container.files.config, json, mode: 0o600, durably: true)
        _ = consume lock
        tell("update", of: container)
    }

    /// The encoding used in the store and in config.json.
    static func json(_ spec: ContainerSpec) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(spec))
    }
}
