import Containers
import Testing

@Suite(.timeLimit(.minutes(40))) struct `The states of a container` {
    private func ways(from phase: ContainerPhase) -> [ContainerPhase.Event] {
        ContainerPhase.Event.allCases.filter { phase.after($0) != nil }
    }

    @Test func `lead to each other by nothing else than what is written down`() {
        #expect(ways(from: .created) == [.start, .restart, .fail])
        #expect(ways(from: .running) == [.pause, .end])
        #expect(ways(from: .paused) == [.unpause, .end])
        #expect(ways(from: .restarting) == [.start, .end, .fail])
        #expect(ways(from: .exited) == [.start, .restart, .fail])
        // What it would lead to is not known.
        #expect(ways(from: .unknown) == [])
    }

    @Test func `are all reached, but for the one that nobody writes`() {
        var reached: Set<ContainerPhase> = [.created]
        for _ in ContainerPhase.allCases {
            for phase in reached {
                reached.formUnion(ContainerPhase.Event.allCases.compactMap { phase.after($0) })
            }
        }
        #expect(reached == Set(ContainerPhase.allCases).subtracting([.unknown]))
    }
}
