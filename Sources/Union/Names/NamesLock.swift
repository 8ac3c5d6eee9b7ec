import Linux

/// The union's lock of names: see `UnionTree`.
struct NamesLock: Sendable {
    private let mutex = Lock()

    /// Returns the token for functions that need the lock, valid until `unlock`. It must go nowhere else.
    @discardableResult
    func lock() -> HeldNames {
        mutex.lock()
        return HeldNames()
    }

    func unlock() { mutex.unlock() }

    /// Runs `body`, which looks at a node's own state, under the lock.
    func locked<R>(_ body: () throws -> R) rethrows -> R { try mutex.locked(body) }
}

/// Proof that the lock of names is held. Only the lock makes one, so a function that takes one can't be called
/// without the lock. It has no size, and costs nothing.
struct HeldNames {
    fileprivate init() {}
}
