package import Runner

/// How far a container has come: containers/<id>/state. Written by whoever holds the container's lock, so a
/// `running` whose lock is free is the last word of a supervisor that was killed.
package struct ContainerState: Codable, Sendable, Equatable {
    /// Never `paused`, which only the kernel knows, nor `unknown`.
    package var phase: ContainerPhase
    /// Process 1 of the container, while it runs.
    package var process: ProcessIdentity?
    /// Whoever runs it and cleans up behind it, while it runs; or restarts it.
    package var supervisor: ProcessIdentity?
    /// Unix nanoseconds.
    package var started: Int64?
    package var finished: Int64?
    /// nil for an exited container: nobody was there to see how it ended.
    package var exitCode: Int32?
    /// Whether the kernel killed a process of it for want of memory. nil: no.
    package var killedForMemory: Bool?
    /// Why it could not be started.
    package var error: String?

    package init(_ phase: ContainerPhase) { self.phase = phase }
}
