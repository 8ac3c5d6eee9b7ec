/// What a container can be, and what leads from one to the other: the whole of its life, in one place
/// (docs/adr/0033-lives-of-containers.md).
///
///     created ─start→ running ─end→ exited ─start→ running
///     running ─pause→ paused ─unpause→ running, paused ─end→ exited
///     exited, created ─restart→ restarting ─start→ running
///     created, restarting, exited ─fail→ exited
package enum ContainerPhase: String, Codable, Sendable, CaseIterable {
    case created, running, paused, restarting, exited
    /// What was written down of it can't be read; it may have run. Never written.
    case unknown

    package enum Event: Sendable, CaseIterable {
        case start, pause, unpause, restart
        /// Its process 1 has ended, or nobody knows more of it: whoever ran it was killed, the machine was switched off.
        case end
        /// It could not be started.
        case fail
    }

    /// nil: the event is none for a container that is this.
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

    /// Whether it has processes.
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
