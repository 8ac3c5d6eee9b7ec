import Linux

/// The stages of a build: each is built once, those that don't depend on each other at once.
final class StageResults: @unchecked Sendable {
    // Touched only under `lock`.
    private enum State {
        case waiting, building
        case ended(Result<ImageDraft, any Error>)
    }
    private var states: [State]
    private let lock = Lock()

    /// Threads that build at a time.
    private static let width = 4

    init(count: Int) { states = Array(repeating: .waiting, count: count) }

    /// Builds `needed`, of which `target` is one, each with what it needs, and returns that. Stages need earlier ones
    /// only, so they never wait for each other in a circle.
    func build(
        _ target: Int,
        needed: Set<Int>,
        _ body: @escaping @Sendable (Int) throws -> ImageDraft
    ) throws -> ImageDraft {
        let others = needed.subtracting([target]).sorted()
        let queue = StageQueue(others)
        let threads = try (0..<min(StageResults.width - 1, others.count)).map { _ in
            try naming("start a thread") {
                try WorkerThread {
                    while let number = queue.next() {
                        // Who needs it hears of its failure.
                        _ = try? self.result(of: number) { try body(number) }
                    }
                }
            }
        }
        let result = Result { try self.result(of: target) { try body(target) } }
        queue.stop()
        for thread in threads { thread.join() }
        return try result.get()
    }

    /// Waits while another thread builds it.
    func result(of number: Int, _ body: () throws -> ImageDraft) throws -> ImageDraft {
        let known: Result<ImageDraft, any Error>? = lock.locked {
            while case .building = states[number] { lock.wait() }
            if case .ended(let result) = states[number] { return result }
            states[number] = .building
            return nil
        }
        if let known { return try known.get() }
        let result = Result { try body() }
        lock.locked {
            states[number] = .ended(result)
            lock.wakeAll()
        }
        return try result.get()
    }
}

/// Stages that a thread may take, in their order.
private final class StageQueue: @unchecked Sendable {
    private var rest: ArraySlice<Int>
    private let lock = Lock()

    init(_ stages: [Int]) { rest = stages[...] }

    func next() -> Int? { lock.locked { rest.popFirst() } }
    func stop() { lock.locked { rest = [] } }
}
