import Linux
import Synchronization

/// Runs `body(0)` … `body(count - 1)` on at most `width` threads. Once one of them throws, no new one starts,
/// and after all have ended the first error is thrown that is not `Stopped`.
func inParallel(_ count: Int, width: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let work = Work(count: count, body: body)
    // The calling thread is one of them.
    let threads = (1..<max(1, min(width, count))).compactMap { _ in try? WorkerThread { work.run() } }
    work.run()
    for thread in threads { thread.join() }
    if let error = work.error { throw error }
}

/// The work was ended because another part of it failed, whose error says why.
struct Stopped: Error {}

private final class Work: Sendable {
    private struct State {
        var next = 0
        var error: (any Error)?
    }

    private let count: Int
    private let body: @Sendable (Int) throws -> Void
    private let state = Mutex(State())

    init(count: Int, body: @escaping @Sendable (Int) throws -> Void) {
        self.count = count
        self.body = body
    }

    var error: (any Error)? { state.withLock { $0.error } }

    func run() {
        while true {
            let taken: Int? = state.withLock { state in
                guard state.error == nil, state.next < count else { return nil }
                state.next += 1
                return state.next - 1
            }
            guard let taken else { return }
            do { try body(taken) } catch {
                state.withLock { state in
                    if state.error == nil || state.error is Stopped { state.error = error }
                }
            }
        }
    }
}
