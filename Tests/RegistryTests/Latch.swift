import Glibc
import Synchronization

/// What servers wait for until a test lets them go on. It opens by itself when the test has gone.
final class Latch: Sendable {
    private let state = State()

    private final class State: Sendable { let isOpen = Atomic(false) }

    deinit { open() }

    func open() { state.isOpen.store(true, ordering: .sequentiallyConsistent) }

    /// For servers' threads: returns once it is open.
    var wait: @Sendable () -> Void {
        let state = state
        return { while !state.isOpen.load(ordering: .sequentiallyConsistent) { usleep(10_000) } }
    }
}
