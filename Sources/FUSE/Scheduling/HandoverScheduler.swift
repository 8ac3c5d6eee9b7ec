import CFUSE
import Glibc
import Linux
import Synchronization

/// Puts the process's serving threads into the class SCHED_IDLE as they want, and takes back those that others keep from
/// their CPU and those that nobody asks for anything. A thread of the class SCHED_FIFO, which sleeps while there is
/// nothing to look at.
final class HandoverScheduler: @unchecked Sendable {
    // Safe to share: `lock` guards what changes.
    static let shared = HandoverScheduler()

    /// What is known of a member here.
    struct Place: Sendable {
        let thread: pid_t
        /// Of the thread's CPU time.
        let clock: clockid_t
        /// Its file in /proc, where numbers may be those of another namespace.
        let stat: OpenFile
        var isIdle = false
        /// The last look found it with something to do and nothing served.
        var isSuspect = false
        /// Nanoseconds between looks that found nothing served, less those between others.
        var quiet: UInt64 = 0
        var knownTotal = 0
        /// Its CPU time when it was looked at.
        var ran: UInt64 = 0
    }

    /// Whether a thread may join the class and leave it again.
    let isPossible: Bool
    private let lock = PriorityLock()
    private let changed = PriorityLock.Condition()
    private var members: [CPUHandover] = []
    private var isRunning = false

    /// Nanoseconds between two looks: at first, and at most, while they find nothing.
    private static let tick: UInt64 = 5_000_000
    private static let lastTick: UInt64 = 10_000_000
    /// The part of the time that a thread of the idle class must have run that had something to do and served nothing.
    private static let headway: UInt64 = 4
    /// Of `Place.quiet`: what is enough to take a thread back.
    private static let quiet: UInt64 = 100_000_000

    private init() {
        isPossible = cfuse_is_usual_class() != 0 && HandoverScheduler.canChangeClass()
    }

    /// Tried on a thread of its own, which may have to stay there.
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

    /// False without a thread to look after it.
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

    /// A member, which is this thread, wants to be of the idle class. False where the scheduler is busy: it has the lock
    /// for long where it looks at many, and this thread's caller waits.
    func want(_ member: CPUHandover, _ note: () -> Void) -> Bool {
        guard lock.tryLock() else { return false }
        // It may have left the class by itself since the last look.
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
            // A thread that joins does not make others look kept from their CPU.
            if elapsed < HandoverScheduler.tick / 2 { elapsed = 0 } else { last = time }
            let tick = look(elapsed)
            if tick > 0 { changed.wait(lock, nanoseconds: tick) } else { changed.wait(lock) }
        }
        isRunning = false
        lock.unlock()
    }

    /// Looks at all members, `elapsed` nanoseconds after the last time, or, for 0, only at what they want. In how many to
    /// look again; 0: when one joins.
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
        // Once, it may just not have slept yet when its caller went on and computed.
        return wasSuspect && ran &- place.ran < elapsed / HandoverScheduler.headway
    }

    /// Changes classes as wanted. Whether there was something to change.
    private func change(_ member: CPUHandover) -> Bool {
        let isWanted = member.isOn
        guard isWanted != member.place.isIdle else { return false }
        if cfuse_set_idle(member.place.thread, isWanted ? 1 : 0) == 0 {
            member.place.isIdle = isWanted
            member.place.isSuspect = false
            member.place.quiet = 0
            member.place.knownTotal = member.total.load(ordering: .sequentiallyConsistent)
        } else if isWanted {
            // As good as if others had the CPU: later.
            member.rescues.wrappingAdd(1, ordering: .sequentiallyConsistent)
            member.isWanted.store(false, ordering: .sequentiallyConsistent)
        }
        return true
    }
}
