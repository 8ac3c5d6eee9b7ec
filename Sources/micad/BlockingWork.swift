import Dispatch

/// Work that waits for disks, locks and processes, away from the few threads that serve all connections.
enum BlockingWork {
    private static let queue = DispatchQueue(label: "micad.work", attributes: .concurrent)

    static func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: body)) }
        }
    }
}
