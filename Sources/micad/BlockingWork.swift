/// Work that waits for disks, locks and processes, away from the few threads that serve all connections.
///
/// Looking has threads of its own: requests that change something wait for one another, for mounts and for clients, and
/// while a collection sweeps; a client that only asks what there is does not wait behind them.
enum BlockingWork {
    enum Kind: Sendable { case looking, changing }

    private static let looks = WorkThreads(most: 16)
    // More than any node has requests about containers and layers at a time: each may wait for another one's key.
    private static let changes = WorkThreads(most: 128)

    static func run<R: Sendable>(_ kind: Kind, _ body: @escaping @Sendable () throws -> R) async throws -> R {
        let threads = kind == .looking ? looks : changes
        return try await withCheckedThrowingContinuation { continuation in
            threads.run { continuation.resume(with: Result(catching: body)) }
        }
    }

    static func changing<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await run(.changing, body)
    }
}
