import Layers
import Linux
import Runner
import Snapshots
import SystemPackage

import Glibc

/// What keeps a container's processes from the rest of the machine, beside their namespaces.
struct Confinement {
    let group: ControlGroup
    /// nil: the container's processes may make every system call.
    let filter: SeccompFilter?

    /// For a container that is about to run: makes its cgroup.
    init(of container: Container, in layout: StoreLayout) throws {
        group = try ControlGroup(of: container.record.id, limits: container.spec.resources ?? Resources())
        do {
            filter = try Confinement.filter(of: container, in: layout)
        } catch {
            group.remove()
            throw error
        }
    }

    /// For a container that is running.
    init(joining container: Container, leader: borrowing OwnedFD, in layout: StoreLayout) throws {
        group = try ControlGroup(existing: container.record.id, leader: leader)
        filter = try Confinement.filter(of: container, in: layout)
    }

    private static func filter(of container: Container, in layout: StoreLayout) throws -> SeccompFilter? {
        switch container.spec.seccomp {
        case nil: return try SeccompFilter(.standard, cachedAt: layout.seccomp)
        case RunRequest.unconfined: return nil
        default:
            let path = container.files.filter
            let bytes = try naming("open \(path)") {
                try OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20)
            }
            return try SeccompFilter(stored: bytes)
        }
    }
}
