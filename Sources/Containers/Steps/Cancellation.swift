import Linux
import Runner
import Synchronization

/// Ends a build from another thread: the commands that run are killed, and no more are started.
package final class Cancellation: Sendable {
    private struct State {
        var isCancelled = false
        var processes: [Int32: ContainerProcess] = [:]
        var others: [Int: @Sendable () -> Void] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Failure once it is cancelled.
    package func check() throws {
        if isCancelled { throw Failure("the build was interrupted", exitCode: 130) }
    }

    package func cancel() {
        let (processes, others) = state.withLock { state in
            state.isCancelled = true
            return (Array(state.processes.values), Array(state.others.values))
        }
        for process in processes { try? process.send(.kill) }
        for stop in others { stop() }
    }

    /// `stop` is called, by another thread, if this is cancelled while `body` runs. Throws what `body` throws, or that the
    /// build was interrupted.
    package func covering<R>(_ stop: @escaping @Sendable () -> Void, _ body: () throws -> R) throws -> R {
        let (number, isTooLate) = state.withLock { state in
            state.next += 1
            state.others[state.next] = stop
            return (state.next, state.isCancelled)
        }
        defer { state.withLock { _ = $0.others.removeValue(forKey: number) } }
        if isTooLate { try check() }
        do { return try body() } catch {
            try check()
            throw error
        }
    }

    /// `process` is killed if this is cancelled while `body` runs, which has to wait for its end.
    func covering<R>(_ process: ContainerProcess, _ body: () throws -> R) rethrows -> R {
        let isTooLate = state.withLock { state in
            state.processes[process.pid] = process
            return state.isCancelled
        }
        if isTooLate { try? process.send(.kill) }
        defer { state.withLock { _ = $0.processes.removeValue(forKey: process.pid) } }
        return try body()
    }
}
