import CLinux
import Glibc
import Linux
import SystemPackage

/// The numbers of the partial files that the background thread has yet to complete.
final class FillQueue: @unchecked Sendable {
    // Safe to share: all state is only touched under `lock`.
    private let lock = Lock()
    /// The entries before `first` have been taken.
    private var waiting: [UInt64] = []
    private var first = 0
    private var known: Set<UInt64> = []
    private var thread: WorkerThread?
    private var isEnded = false

    /// Starts `fill` on a thread of its own. EAGAIN where no thread can be had.
    func start(_ fill: @escaping @Sendable () -> Void) throws(Errno) {
        let new = try WorkerThread(fill)
        lock.locked { thread = new }
    }

    /// Does nothing where no thread was started.
    func add(_ id: UInt64) {
        lock.locked {
            guard thread != nil, known.insert(id).inserted else { return }
            waiting.append(id)
            lock.wakeAll()
        }
    }

    /// Sleeps until a file is waiting; nil once the queue has ended.
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

    /// Sleeps; false, at once, when the queue has ended.
    func pause(milliseconds: Int) -> Bool {
        lock.locked {
            let end = now + milliseconds
            // `add` wakes this thread early.
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
