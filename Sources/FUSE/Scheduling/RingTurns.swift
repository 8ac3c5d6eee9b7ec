import CFUSE

/// Whose turn it is where one thread serves the requests of a ring: `CPUHandover`, once it has something to do, because
/// joining takes time. Used by that thread.
final class RingTurns {
    private var served = 0
    private var handover: CPUHandover?
    /// Requests that a thread serves before it is worth to think of whose turn it is.
    private static let early = 16

    func noteServed() {
        guard served < RingTurns.early else {
            handover?.noteServed(isLocal: true)
            return
        }
        served += 1
        if served == RingTurns.early { handover = CPUHandover.join() }
    }

    func leave() { handover?.leave() }
}
