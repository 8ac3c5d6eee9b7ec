import Foundation

/// Threads that do the same with different numbers.
enum Threads {
    /// Results by number; throws what the first that failed threw.
    static func run<R: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) throws -> R) throws -> [R] {
        let results = Results<R>(count)
        DispatchQueue.concurrentPerform(iterations: count) { number in
            results.set(number, Result { try body(number) })
        }
        return try results.all()
    }

    private final class Results<R: Sendable>: @unchecked Sendable {
        // Safe to share: `values` is only touched under `lock`.
        private let lock = NSLock()
        private var values: [Result<R, any Error>?]

        init(_ count: Int) { values = Array(repeating: nil, count: count) }

        func set(_ number: Int, _ value: Result<R, any Error>) { lock.withLock { values[number] = value } }
        func all() throws -> [R] { try lock.withLock { try values.compactMap { try $0?.get() } } }
    }
}
