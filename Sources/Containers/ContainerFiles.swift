package import Layers
import Linux
package import SystemPackage

import FoundationEssentials
import Glibc

/// The directory of one container, containers/<id>.
package struct ContainerFiles: Sendable {
    package let directory: FilePath

    package init(_ id: String, layout: StoreLayout) { directory = layout.container(id) }

    /// The ContainerSpec as JSON, for people and other programs to read.
    package var config: FilePath { directory.appending("config.json") }
    /// A ContainerState as JSON. Replaced by rename, so it is always whole.
    package var state: FilePath { directory.appending("state") }
    // What the container wrote is in log.0, log.1 and so on (LogFormat).

    /// Where its root is mounted while it runs.
    package var root: FilePath { directory.appending("rootfs") }
    /// Held by whoever runs, or removes, the container.
    package var lock: FilePath { directory.appending("lock") }
    /// Held by the mount's daemon.
    package var mountLock: FilePath { directory.appending("mount.lock") }
    /// What the mount's daemon, and the supervisor of a detached container, have to say.
    package var daemonLog: FilePath { directory.appending("micafs.log") }
    package var supervisorLog: FilePath { directory.appending("supervisor.log") }
    /// The seccomp filter that was made of a profile of the user's own, as the kernel takes it.
    package var filter: FilePath { directory.appending("seccomp") }
    package var hostname: FilePath { directory.appending("hostname") }
    package var hosts: FilePath { directory.appending("hosts") }
    package var resolver: FilePath { directory.appending("resolv.conf") }

    /// nil when there is none yet, or it can't be read.
    package func readState() -> ContainerState? {
        guard let file = try? OwnedFD.open(state, O_RDONLY), let bytes = try? file.contents(limit: 1 << 20)
        else {
            return nil
        }
        return try? JSONDecoder().decode(ContainerState.self, from: Data(bytes))
    }

    func write(_ new: ContainerState) throws {
        try replace(state, Array(try JSONEncoder().encode(new)), mode: 0o600)
    }

    /// `mode`: whatever the umask. What is bound into the container is read by its users.
    func replace(_ path: FilePath, _ bytes: [UInt8], mode: UInt32) throws {
        let draft = FilePath("\(path.string).new")
        try naming("write \(path)") {
            let file = try OwnedFD.open(draft, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
            try file.use { raw throws(Errno) in _ = try Errno.check(fchmod(raw, mode)) }
            try file.writeAll(bytes)
            try draft.rename(to: path)
        }
    }
}
