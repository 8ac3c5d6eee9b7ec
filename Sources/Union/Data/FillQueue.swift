import CLinux
import Glibc
import Linux
import SystemPackage

/// The files that whoever fills partial files in the background has before it, by number.
final class FillQueue: @unchecked Sendable {
    // Safe to share: all state is only touched under `lock`.
    private let lock = Lock()
    /// From `first` on.
    private var waiting: [UInt64] = []
    private var first = 0
    private var known: Set<UInt64> = []
    private var thread: WorkerThread?
    private var isEnded = false

    /// Starts `fill` on a thread of its own. EAGAIN where none can be had.
    func start(_ fill: @escaping @Sendable () -> Void) throws(Errno) {
        let new = try WorkerThread(fill)
        lock.locked { thread = new }
    }

    /// Nothing happens where nobody fills.
    func add(_ id: UInt64) {
        lock.locked {
            guard thread != nil, known.insert(id).inserted else { return }
            waiting.append(id)
            lock.wakeAll()
        }
    }

    /// Sleeps until there is one; nil in the end.
    func next() -> UInt64? {
        lock.locked {
            while first == waiting.count, !isEnded { lock.wait() }
            guard !isEnded else { return nil }
            let id = waiting[first]
            known.remove(id)
            first += 1
            if first == waiting.count {
                waiting.removeAll()
                first = 0
            }
            return id
        }
    }

    /// Sleeps; false in the end, at once.
    func pause(milliseconds: Int) -> Bool {
        lock.locked {
            let end = now + milliseconds
            // Whoever adds a file wakes it early.
            while !isEnded, now < end { lock.wait(milliseconds: end - now) }
            return !isEnded
        }
    }

    /// In milliseconds.
    private var now: Int { Int(KernelClock.now(CLOCK_MONOTONIC) / 1_000_000) }

    var hasEnded: Bool { lock.locked { isEnded } }

    /// Returns when the thread has ended.
    func end() {
        let running = lock.locked { () -> WorkerThread? in
            isEnded = true
            lock.wakeAll()
            return thread
        }
        running?.join()
    }
}
