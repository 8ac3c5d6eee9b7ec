import CFUSE
import Glibc
import Linux
import Synchronization

/// Puts serving threads into the class SCHED_IDLE when they want that, and takes back those that are kept from their
/// CPU and those that get no requests. A thread of the class SCHED_FIFO, which sleeps while there is nothing to look
/// at.
final class HandoverScheduler: @unchecked Sendable {
    // Safe to share: `lock` guards what changes.
    static let shared = HandoverScheduler()

    /// What the scheduler knows of a member.
    struct Place: Sendable {
        let thread: pid_t
        /// The clock of the thread's CPU time.
        let clock: clockid_t
        /// Its file in /proc: thread numbers may be those of another namespace there.
        let stat: OpenFile
        var isIdle = false
        /// At the last look it had something to do and had served nothing.
        var isSuspect = false
        /// Nanoseconds between looks at which it had served nothing, less those between others.
        var quiet: UInt64 = 0
        var knownTotal = 0
        /// Its CPU time at the last look.
        var ran: UInt64 = 0
    }

    /// Whether a thread may join the class and leave it again.
    let isPossible: Bool
    private let lock = PriorityLock()
    private let changed = PriorityLock.Condition()
    private var members: [CPUHandover] = []
    private var isRunning = false

    /// Nanoseconds between two looks: at first, and at most, when looks find nothing.
    private static let tick: UInt64 = 5_000_000
    private static let lastTick: UInt64 = 10_000_000
    /// A thread of the idle class that had something to do and served nothing must have run for this fraction of the
    /// time.
    private static let headway: UInt64 = 4
    /// The value of `Place.quiet` at which a thread is taken back.
    private static let quiet: UInt64 = 100_000_000

    private init() {
        isPossible = cfuse_is_usual_class() != 0 && HandoverScheduler.canChangeClass()
    }

    /// Tried on a separate thread, because it may not get out of the class again.
    private static func canChangeClass() -> Bool {
        final class Answer: Sendable { let isYes = Atomic(false) }
        let answer = Answer()
        let thread = try? WorkerThread {
            let canJoin = cfuse_set_idle(0, 1) == 0
            answer.isYes.store(canJoin && cfuse_set_idle(0, 0) == 0, ordering: .sequentiallyConsistent)
        }
        thread?.join()
        return answer.isYes.load(ordering: .sequentiallyConsistent)
    }

    // MARK: - For members

    /// False without a scheduler thread.
    func add(_ member: CPUHandover) -> Bool {
        lock.locked {
            if !isRunning { isRunning = DetachedThread.start { self.run() } }
            if isRunning { members.append(member) }
            return isRunning
        }
    }

    func remove(_ member: CPUHandover) {
        lock.locked {
            members.removeAll { $0 === member }
            changed.signal()
        }
    }

    /// Called by a member on its own thread, to join the idle class. False where the scheduler is busy: it holds the
    /// lock for long when it looks at many members, and this thread's caller waits.
    func want(_ member: CPUHandover, _ note: () -> Void) -> Bool {
        guard lock.tryLock() else { return false }
        // The member may have left the class by itself since the last look.
        member.place.isIdle = false
        note()
        member.isWanted.store(true, ordering: .sequentiallyConsistent)
        lock.unlock()
        changed.signal()
        return true
    }

    // MARK: - The scheduler's thread

    private func run() {
        cfuse_begin_watching()
        lock.lock()
        var last = KernelClock.monotonic
        while !members.isEmpty {
            let time = KernelClock.monotonic
            var elapsed = time &- last
            // A thread that joins must not make others look kept from their CPU.
            if elapsed < HandoverScheduler.tick / 2 { elapsed = 0 } else { last = time }
            let tick = look(elapsed)
            if tick > 0 { changed.wait(lock, nanoseconds: tick) } else { changed.wait(lock) }
        }
        isRunning = false
        lock.unlock()
    }

    /// Looks at all members, `elapsed` nanoseconds after the last time, or, for 0, only at what they want. Returns
    /// how many nanoseconds later to look again; 0 for when one joins.
    private func look(_ elapsed: UInt64) -> UInt64 {
        var next: UInt64 = 0
        let calm = elapsed < HandoverScheduler.tick ? HandoverScheduler.tick : HandoverScheduler.lastTick
        for member in members {
            if elapsed > 0, member.place.isIdle, member.isOn { look(at: member, elapsed) }
            let isNews = change(member)
            if member.place.isIdle, next != HandoverScheduler.tick {
                next = isNews || member.place.isSuspect ? HandoverScheduler.tick : calm
            }
        }
        return next
    }

    private func look(at member: CPUHandover, _ elapsed: UInt64) {
        let total = member.total.load(ordering: .sequentiallyConsistent)
        let known = member.place.knownTotal
        member.place.knownTotal = total
        member.isDue.store(true, ordering: .sequentiallyConsistent)
        guard total == known else {
            member.place.isSuspect = false
            member.place.quiet -= min(member.place.quiet, elapsed)
            return
        }
        member.place.quiet += elapsed
        let isKept = isKept(&member.place, elapsed)
        if isKept { member.rescues.wrappingAdd(1, ordering: .sequentiallyConsistent) }
        guard isKept || member.place.quiet >= HandoverScheduler.quiet else { return }
        member.isWanted.store(false, ordering: .sequentiallyConsistent)
    }

    /// Whether a thread that served nothing for `elapsed` nanoseconds is kept from its CPU.
    private func isKept(_ place: inout Place, _ elapsed: UInt64) -> Bool {
        let wasSuspect = place.isSuspect
        place.isSuspect = place.stat.fd.use { cfuse_thread_is_asleep($0) } == 0
        guard place.isSuspect else { return false }
        let ran = UInt64(max(KernelClock.now(place.clock), 0))
        defer { place.ran = ran }
        // One such look is not enough: the thread may not have gone to sleep before its caller went on.
        return wasSuspect && ran &- place.ran < elapsed / HandoverScheduler.headway
    }

    /// Changes a member's class as wanted. Returns whether there was something to change.
    private func change(_ member: CPUHandover) -> Bool {
        let isWanted = member.isOn
        guard isWanted != member.place.isIdle else { return false }
        if cfuse_set_idle(member.place.thread, isWanted ? 1 : 0) == 0 {
            member.place.isIdle = isWanted
            member.place.isSuspect = false
            member.place.quiet = 0
            member.place.knownTotal = member.total.load(ordering: .sequentiallyConsistent)
        } else if isWanted {
            // Treated as if other threads had the CPU: it tries again later.
            member.rescues.wrappingAdd(1, ordering: .sequentiallyConsistent)
            member.isWanted.store(false, ordering: .sequentiallyConsistent)
        }
        return true
    }
}
