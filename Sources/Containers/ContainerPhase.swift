/// The states of a container and the events that lead from one to the next: its whole life, in one place
/// (docs/adr/0033-lives-of-containers.md).
///
///     created ─start→ running ─end→ exited ─start→ running
///     running ─pause→ paused ─unpause→ running, paused ─end→ exited
///     exited, created ─restart→ restarting ─start→ running
///     created, restarting, exited ─fail→ exited
package enum ContainerPhase: String, Codable, Sendable, CaseIterable {
    case created, running, paused, restarting, exited
    /// The recorded state can't be read; the container may have run. Never written.
    case unknown

    package enum Event: Sendable, CaseIterable {
        case start, pause, unpause, restart
        /// Process 1 has ended, or its monitor is gone (it was killed, or the machine was switched off).
        case end
        /// It could not be started.
        case fail
    }

    /// nil: the event can't happen in this state.
    package func after(_ event: Event) -> ContainerPhase? {
        switch (self, event) {
        case (.created, .start), (.exited, .start), (.restarting, .start): .running
        case (.created, .fail), (.exited, .fail), (.restarting, .fail), (.restarting, .end): .exited
        case (.created, .restart), (.exited, .restart): .restarting
        case (.running, .pause): .paused
        case (.paused, .unpause): .running
        case (.running, .end), (.paused, .end): .exited
        default: nil
        }
    }

    /// Whether the container has processes.
    package var isAlive: Bool { self == .running || self == .paused }

    /// For messages: `container web …`.
    package var description: String {
        switch self {
        case .created: "has not been started"
        case .running: "is running"
        case .paused: "is paused"
        case .restarting: "is being restarted"
        case .exited: "is not running"
        case .unknown: "is in a state that can't be read"
        }
    }
}
