import SystemPackage
import Snapshots
package import Runner

import FoundationEssentials
import Linux

extension Containers {
    /// Gives it another name. Failure (alreadyExists) where something has that.
    package func rename(_ container: Container, to name: String) throws {
        try ContainerName.check(name)
        try store.rename(container: container.record.id, to: name)
    }

    /// Changes what it may use of the machine: at once where it runs, and from its next start on. What is nil stays as it
    /// is. Failure, and nothing is changed, where a limit can't be enforced.
    package func update(_ container: Container, _ changes: Resources) throws {
        var spec = container.spec
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
    }

    /// As it is kept, in the store and in config.json.
    static func json(_ spec: ContainerSpec) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(spec))
    }
}
