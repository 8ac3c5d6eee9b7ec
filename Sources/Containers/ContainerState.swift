package import Runner

/// How far a container has come: containers/<id>/state. Only the holder of the container's lock writes it, so a
/// `running` whose lock is free is the last word of a monitor that was killed.
package struct ContainerState: Codable, Sendable, Equatable {
    /// Never `paused`, which only the kernel knows, nor `unknown`.
    package var phase: ContainerPhase
    /// Process 1 of the container, while it runs.
    package var process: ProcessIdentity?
    /// The process that runs the container and cleans up after it, while it runs; or that restarts it.
    package var monitor: ProcessIdentity?
    /// Unix nanoseconds.
    package var started: Int64?
    package var finished: Int64?
    /// nil for an exited container: its end was not observed.
    package var exitCode: Int32?
    /// Whether the OOM killer killed one of its processes. nil: no.
    package var killedForMemory: Bool?
    /// Why it could not be started.
    package var error: String?

    package init(_ phase: ContainerPhase) { self.phase = phase }
}
