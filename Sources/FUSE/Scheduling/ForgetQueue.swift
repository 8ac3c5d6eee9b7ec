import CFUSE
import Glibc
import Nodes
import Synchronization

/// FORGETs that a leader reads (`LeadingReaders`): nobody waits for them, and a file that was removed ends with its last
/// one, which takes longer than the removal did. So they are served a little later, many at once, on another CPU.
final class ForgetQueue: @unchecked Sendable {
    // Safe to share: what is not atomic is guarded by `lock`.
    private let operations: any Operations
    private let lock = PriorityLock()
    private let changed = PriorityLock.Condition()
    /// The thread that leads, or 0, and its CPU. Set by that thread.
    private let leader = Atomic<UInt>(0)
    private let leaderCPU = Atomic<Int>(-1)
    /// Something was taken. The leader's own.
    private var isTaken = false
    private var references: [References] = []
    /// The queue's thread waits for a signal.
    private var isAsleep = false
    private var hasThread = false
    private var isOver = false

    /// References that are kept for later. Each may hold an open file.
    private static let room = 64
    /// Microseconds after some were served: what comes meanwhile is served at once. Room comes back so much later.
    private static let pause: UInt32 = 3000

    /// Without another CPU it would only be more work.
    private let hasOtherCPUs: Bool

    init(_ operations: any Operations, hasOtherCPUs: Bool) {
        self.operations = operations
        self.hasOtherCPUs = hasOtherCPUs
        references.reserveCapacity(ForgetQueue.room)
    }

    /// This thread leads from now on, on `cpu`; with nil, it leads no more.
    func follow(_ cpu: Int?) {
        if let cpu { leaderCPU.store(cpu, ordering: .relaxed) }
        leader.store(cpu == nil ? 0 : pthread_self(), ordering: .relaxed)
    }

    /// Takes over what the leader read. False where another thread asks, there are too many, or nowhere to serve them.
    func take(_ new: [References]) -> Bool {
        guard leader.load(ordering: .relaxed) == pthread_self(), new.count <= ForgetQueue.room else {
            return false
        }
        // Whoever has it may be waiting for a CPU: the leader must not.
        guard lock.tryLock() else { return false }
        defer { lock.unlock() }
        guard references.count + new.count <= ForgetQueue.room, hasThread || start() else { return false }
        references.append(contentsOf: new)
        isTaken = true
        if isAsleep { changed.signal() }
        return true
    }

    /// Whether anything was taken since the last time this was asked. On the thread that leads.
    func hasTaken() -> Bool {
        defer { isTaken = false }
        return isTaken
    }

    /// Under the lock.
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

    /// Serves what is left and ends the thread. More than once is as once.
    func end() {
        lock.lock()
        isOver = true
        changed.wakeAll()
        while hasThread { changed.wait(lock) }
        lock.unlock()
    }
}
