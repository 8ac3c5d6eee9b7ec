import Linux

/// The union's lock of names: see `UnionTree`.
struct NamesLock: Sendable {
    private let mutex = Lock()

    /// What it returns goes to whatever needs the lock, and nowhere else: it is true until `unlock`.
    @discardableResult
    func lock() -> HeldNames {
        mutex.lock()
        return HeldNames()
    }

    func unlock() { mutex.unlock() }

    /// For a look at a node's own state.
    func locked<R>(_ body: () throws -> R) rethrows -> R { try mutex.locked(body) }
}

/// That the lock of names is held. Nobody but the lock makes one, so what takes one can't be called without; it has no
/// size, and costs nothing.
struct HeldNames {
    fileprivate init() {}
}
