import CFUSE
import Glibc
import Nodes
import Synchronization

/// FORGETs that a leader reads (`LeadingReaders`). No caller waits for them, and the last one for a removed file
/// frees it, which takes longer than the removal did. So they are served a little later, many at once, on another
/// CPU.
final class ForgetQueue: @unchecked Sendable {
    // Safe to share: what is not atomic is guarded by `lock`.
    private let operations: any Operations
    private let lock = PriorityLock()
    private let changed = PriorityLock.Condition()
    /// The thread that leads, or 0, and its CPU. Only that thread sets them.
    private let leader = Atomic<UInt>(0)
    private let leaderCPU = Atomic<Int>(-1)
    /// Whether something was taken. Used by the leader only.
    private var isTaken = false
    private var references: [References] = []
    /// Whether the queue's thread waits for a signal.
    private var isAsleep = false
    private var hasThread = false
    private var isOver = false

    /// How many references the queue holds. Each may keep a file open.
    private static let room = 64
    /// Microseconds between two batches; room on the disk comes back so much later.
    private static let pause: UInt32 = 3000

    /// On a single CPU the queue would only be more work.
    private let hasOtherCPUs: Bool

    init(_ operations: any Operations, hasOtherCPUs: Bool) {
        self.operations = operations
        self.hasOtherCPUs = hasOtherCPUs
        references.reserveCapacity(ForgetQueue.room)
    }

    /// Called by a thread that leads from now on, on `cpu`, or with nil when it no longer leads.
    func follow(_ cpu: Int?) {
        if let cpu { leaderCPU.store(cpu, ordering: .relaxed) }
        leader.store(cpu == nil ? 0 : pthread_self(), ordering: .relaxed)
    }

    /// Takes what the leader read. False where another thread asks, where there are too many, or where no thread can
    /// serve them.
    func take(_ new: [References]) -> Bool {
        guard leader.load(ordering: .relaxed) == pthread_self(), new.count <= ForgetQueue.room else {
            return false
        }
        // The thread that has the lock may be waiting for a CPU, for which the leader must not wait.
        guard lock.tryLock() else { return false }
        defer { lock.unlock() }
        guard references.count + new.count <= ForgetQueue.room, hasThread || start() else { return false }
        references.append(contentsOf: new)
        isTaken = true
        if isAsleep { changed.signal() }
        return true
    }

    /// Whether anything was taken since this was last asked. For the leader only.
    func hasTaken() -> Bool {
        defer { isTaken = false }
        return isTaken
    }

    /// Precondition: the lock is held.
    private func start() -> Bool {
        guard !isOver, hasOtherCPUs else { return false }
        hasThread = DetachedThread.start { self.run() }
        return hasThread
    }

    private func run() {
        var avoided = -1
        lock.lock()
        while !references.isEmpty || !isOver {
            guard !references.isEmpty else {
                isAsleep = true
                changed.wait(lock)
                isAsleep = false
                continue
            }
            let served = references
            references.removeAll(keepingCapacity: true)
            let isOver = isOver
            lock.unlock()
            let cpu = leaderCPU.load(ordering: .relaxed)
            if cpu != avoided, cfuse_unpin(CInt(cpu)) == 0 { avoided = cpu }
            operations.forget(served)
            if !isOver { usleep(ForgetQueue.pause) }
            lock.lock()
        }
        hasThread = false
        changed.wakeAll()
        lock.unlock()
    }

    /// Serves what is left and ends the thread. Further calls do nothing.
    func end() {
        lock.lock()
        isOver = true
        changed.wakeAll()
        while hasThread { changed.wait(lock) }
        lock.unlock()
    }
}
