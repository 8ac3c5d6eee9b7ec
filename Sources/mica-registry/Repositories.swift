import Linux
import Registry
import Synchronization

/// A repository behind its mirrors. The first that has answered is asked first from then on.
final class Repositories: Sendable {
    private let all: [Repository]
    private let current = Mutex(0)

    init(_ opening: RegistryMessage.Opening) throws {
        all = try Endpoint.all(for: opening).map { try Repository($0, isToRead: opening.isToRead) }
    }

    /// The registry's own.
    func own() throws -> Repository {
        guard let own = all.last else { throw Failure("no registry") }
        return own
    }

    /// Asks one after another until one succeeds. Throws the error of the last one.
    func ask<Result>(_ body: (Repository) throws -> Result) throws -> Result {
        var number = current.withLock { $0 }
        while true {
            do { return try body(all[number]) } catch {
                guard number + 1 < all.count else { throw error }
                number += 1
                let reached = number
                current.withLock { $0 = max($0, reached) }
            }
        }
    }
}
