import CFUSE

/// `CPUHandover` for a thread that serves the requests of a ring. It joins only once it has something to do, because
/// joining takes time. Used by that thread.
final class RingTurns {
    private var served = 0
    private var handover: CPUHandover?
    /// How many requests a thread serves before it joins.
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
