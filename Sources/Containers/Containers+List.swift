import Snapshots
package import Runner

import Linux
import SystemPackage

extension Containers {
    /// A container's status, as far as it can be known.
    package enum Status: Sendable, Equatable {
        case created
        /// `since`: Unix nanoseconds.
        case running(ProcessIdentity, since: Int64)
        case paused(ProcessIdentity, since: Int64)
        case restarting
        /// nil: its monitor was killed, or the machine stopped.
        case exited(Int32?, at: Int64?)
        /// The recorded state can't be read, for this reason. The container may have run.
        case unknown(String)

        package var phase: ContainerPhase {
            switch self {
            case .created: .created
            case .running: .running
            case .paused: .paused
            case .restarting: .restarting
            case .exited: .exited
            case .unknown: .unknown
            }
        }
    }

    package func status(of container: Container) -> Status {
        let status = recordedStatus(of: container)
        guard case .running(let process, let since) = status, ControlGroup.isPaused(container.record.id)
        else { return status }
        return .paused(process, since: since)
    }

    /// The state written last; the lock says whether its writer is still alive. A paused container counts as
    /// running, because only its cgroup knows that it is paused.
    func recordedStatus(of container: Container) -> Status {
        guard var state = container.files.readState() else { return .created }
        while true {
            let status = status(in: state, of: container)
            guard status.phase == .exited, state.phase != .exited else { return status }
            // Its writer is gone; it may have written how the container ended after the state was read.
            guard let latest = container.files.readState(), latest != state else { return status }
            state = latest
        }
    }

    private func status(in state: ContainerState, of container: Container) -> Status {
        switch state.phase {
        case .created: return .created
        case .unknown: return .unknown(state.error ?? "")
        case .exited: return .exited(state.exitCode, at: state.finished)
        case .restarting:
            // Between two runs the lock changes hands.
            let isAtIt = FileLock.isHeld(container.files.lock) || state.monitor?.open() != nil
            return isAtIt ? .restarting : .exited(state.exitCode, at: state.finished)
        case .running, .paused:
            guard FileLock.isHeld(container.files.lock), let process = state.process else {
                return .exited(nil, at: nil)
            }
            return .running(process, since: state.started ?? 0)
        }
    }

    /// Paused or not.
    package func isRunning(_ container: Container) -> Bool {
        recordedStatus(of: container).phase == .running
    }

    /// Whether a running container's micafs was killed: everything it touches fails now, except for its volumes.
    package func isRootLost(_ container: Container) -> Bool {
        guard isRunning(container), !FileLock.isHeld(container.files.mountLock) else { return false }
        return MountTable.current().isDead(container.files.root)
    }

    /// The process 1 of a running container. Failure (failedPrecondition) when it is not running.
    package func leader(of container: Container) throws -> ProcessIdentity {
        let status = recordedStatus(of: container)
        if case .unknown(let reason) = status {
            throw Failure("whether container \(container.record.name) runs is not known: \(reason)")
        }
        guard case .running(let process, _) = status else {
            throw Failure("container \(container.record.name) is not running", kind: .failedPrecondition)
        }
        return process
    }
}
