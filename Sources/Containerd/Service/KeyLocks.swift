import Linux

/// One lock for each key that a request works with: two requests about the same snapshot come one after the other, all
/// others at once.
///
/// Lock order: a key's lock, then those of the store.
final class KeyLocks: @unchecked Sendable {
    private let lock = Lock()
    /// Touched only under `lock`.
    private var held: Set<String> = []

    /// Of two keys that are locked by one caller, both callers take the smaller one first.
    func locked<R>(_ keys: String..., body: () throws -> R) rethrows -> R {
        let keys = Set(keys).sorted()
        for key in keys {
            lock.locked {
                while held.contains(key) { lock.wait() }
                held.insert(key)
            }
        }
        defer {
            lock.locked {
                held.subtract(keys)
                lock.wakeAll()
            }
        }
        return try body()
    }
}
