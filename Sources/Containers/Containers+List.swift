import Snapshots
package import Runner

import Linux
import SystemPackage

extension Containers {
    /// How a container is doing, as far as can be known.
    package enum Status: Sendable, Equatable {
        case created
        /// `since`: Unix nanoseconds.
        case running(ProcessIdentity, since: Int64)
        /// nil: whoever was watching was killed, or the machine stopped.
        case exited(Int32?, at: Int64?)
        /// What was written down of it can't be read; with the reason. It may have run.
        case unknown(String)
    }

    /// `state` says what was written last; the lock says whether the writer is still there.
    package func status(of container: Container) -> Status {
        guard let state = container.files.readState() else { return .created }
        switch state.phase {
        case .created: return .created
        case .unknown: return .unknown(state.error ?? "")
        case .exited: return .exited(state.exitCode, at: state.finished)
        case .running:
            guard FileLock.isHeld(container.files.lock), let process = state.process else {
                return .exited(nil, at: nil)
            }
            return .running(process, since: state.started ?? 0)
        }
    }

    package func isRunning(_ container: Container) -> Bool {
        if case .running = status(of: container) { return true }
        return false
    }

    /// Whether a running container's micafs was killed: everything it touches fails now, except for its volumes.
    package func isRootLost(_ container: Container) -> Bool {
        guard isRunning(container), !FileLock.isHeld(container.files.mountLock) else { return false }
        return MountTable.current().isDead(container.files.root)
    }

    /// The process 1 of a running container. Failure (failedPrecondition) when it is not running.
    package func leader(of container: Container) throws -> ProcessIdentity {
        let status = status(of: container)
        if case .unknown(let reason) = status {
            throw Failure("whether container \(container.record.name) runs is not known: \(reason)")
        }
        guard case .running(let process, _) = status else {
            throw Failure("container \(container.record.name) is not running", kind: .failedPrecondition)
        }
        return process
    }
}
