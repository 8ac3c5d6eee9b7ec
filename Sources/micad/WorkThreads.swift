import Linux

/// Threads that run work which may wait, each for one piece of work at a time: started when they are needed, up to a
/// number, and ended when there was nothing to do for a while. Work beyond that waits its turn.
final class WorkThreads: @unchecked Sendable {
    /// How long a thread without work waits for some, milliseconds.
    private static let idleTime = 10_000

    private let most: Int
    // Everything below is touched only under `lock`.
    private let lock = Lock()
    private var waiting: [@Sendable () -> Void] = []
    private var idle = 0
    private var count = 0

    init(most: Int) { self.most = most }

    func run(_ work: @escaping @Sendable () -> Void) {
        let isThreadWanted = lock.locked {
            waiting.append(work)
            lock.wakeAll()
            guard idle < waiting.count, count < most else { return false }
            count += 1
            return true
        }
        guard isThreadWanted else { return }
        do { try WorkerThread { self.work() }.detach() } catch {
            // Without a thread of its own it is done by those that there are, or else here and now.
            let own = lock.locked {
                count -= 1
                return count == 0 ? waiting.popLast() : nil
            }
            own?()
        }
    }

    private func work() {
        while let next = next() { next() }
    }

    /// nil after a while without work, and then this thread is not counted any more.
    private func next() -> (@Sendable () -> Void)? {
        lock.locked {
            idle += 1
            defer { idle -= 1 }
            let end = ContinuousClock.now + .milliseconds(WorkThreads.idleTime)
            while waiting.isEmpty {
                guard ContinuousClock.now < end else {
                    count -= 1
                    return nil
                }
                lock.wait(milliseconds: WorkThreads.idleTime)
            }
            return waiting.removeFirst()
        }
    }
}
