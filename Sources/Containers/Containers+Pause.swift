import SystemPackage
import Snapshots
import Linux
import Runner

extension Containers {
    /// Freezes all processes of a container until `unpause`. Failure (failedPrecondition) when it is not running, or
    /// is paused already.
    package func pause(_ container: Container) throws {
        try require(.pause, of: container, or: "Nothing of it can be paused.")
        try ControlGroup.pause(container.record.id)
        tell("pause", of: container)
    }

    package func unpause(_ container: Container) throws {
        try require(.unpause, of: container, or: "Nothing of it has to be unpaused.")
        try ControlGroup.unpause(container.record.id)
        tell("unpause", of: container)
    }

    /// Failure (failedPrecondition) when `event` can't happen in the container's state; `advice` goes with it.
    func require(_ event: ContainerPhase.Event, of container: Container, or advice: String) throws {
        let status = status(of: container)
        guard status.phase.after(event) == nil else { return }
        var reason = status.phase.description
        if case .unknown(let words) = status { reason += ": \(words)" }
        throw Failure(
            "container \(container.record.name) \(reason)",
            advice: advice,
            kind: .failedPrecondition
        )
    }
}
