package import Layers
import Linux
package import SystemPackage

import FoundationEssentials
import Glibc

/// The directory of one container, containers/<id>.
package struct ContainerFiles: Sendable {
    package let directory: FilePath

    package init(_ id: String, layout: StoreLayout) { directory = layout.container(id) }

    /// Of what is no container of the store.
    init(directory: FilePath) { self.directory = directory }

    /// The ContainerSpec as JSON, for people and other programs to read.
    package var config: FilePath { directory.appending("config.json") }
    /// A ContainerState as JSON. Replaced by rename, so it is always whole.
    package var state: FilePath { directory.appending("state") }
    // The container's output is in log.0, log.1 and so on (LogFormat).

    /// Where its root is mounted while it runs.
    package var root: FilePath { directory.appending("rootfs") }
    /// Held by the process that runs, or removes, the container.
    package var lock: FilePath { directory.appending("lock") }
    /// Held by the process that changes the container's configuration.
    package var configLock: FilePath { directory.appending("config.lock") }
    /// Held by the mount's daemon.
    package var mountLock: FilePath { directory.appending("mount.lock") }
    /// The messages of the mount's daemon, and of the monitor of a detached container.
    package var daemonLog: FilePath { directory.appending("micafs.log") }
    package var monitorLog: FilePath { directory.appending("monitor.log") }
    /// The seccomp filter compiled from the user's own profile, in the kernel's format.
    package var filter: FilePath { directory.appending("seccomp") }
    package var hostname: FilePath { directory.appending("hostname") }
    package var hosts: FilePath { directory.appending("hosts") }
    package var resolver: FilePath { directory.appending("resolv.conf") }

    /// nil when the container has no state yet. A state that can't be read gives `unknown` with the reason: whether
    /// the container was started is not known.
    package func readState() -> ContainerState? {
        do {
            let bytes = try OwnedFD.open(state, O_RDONLY).contents(limit: 1 << 20)
            return try JSONDecoder().decode(ContainerState.self, from: Data(bytes))
        } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
            return nil
        } catch {
            var unknown = ContainerState(.unknown)
            unknown.error = "\(state) can't be read: \((error as? Errno).map { "\($0)" } ?? "it is damaged")"
            return unknown
        }
    }

    func replace(_ path: FilePath, _ bytes: [UInt8], mode: UInt32, durably: Bool = false) throws {
        try naming("write \(path)") { try path.replace(with: bytes, mode: mode, durably: durably) }
    }
}
