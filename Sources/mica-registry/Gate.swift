import Linux

/// Lets so many threads through at a time.
final class Gate: @unchecked Sendable {
    // Safe to share: `free` is guarded by `lock`.
    private let lock = Lock()
    private var free: Int

    init(_ free: Int) { self.free = free }

    func enter() {
        lock.lock()
        while free == 0 { lock.wait() }
        free -= 1
        lock.unlock()
    }

    func leave() {
        lock.lock()
        free += 1
        lock.wakeAll()
        lock.unlock()
    }
}
