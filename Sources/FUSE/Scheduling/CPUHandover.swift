import CFUSE
import Glibc
import Linux
import Synchronization
import SystemPackage

/// Decides which runs on a CPU: the thread that has just answered, or the caller that waited for the answer.
///
/// When the kernel wakes the caller it looks for an idle CPU, because the daemon's thread runs on the caller's own,
/// and so moves the caller to another CPU, which must wake up first, and where another queue and another thread
/// serve the next request. A CPU on which only threads of the class SCHED_IDLE run counts as idle
/// (`select_idle_sibling` in kernel/sched/fair.c), so a thread that serves one request after the other joins that
/// class, and the caller goes on where it is. The price: any other thread that wants that CPU goes first. A
/// scheduler, on a thread of its own, takes a thread back that makes no headway, or has nothing to do. docs/adr/0015
/// has the measurements.
///
/// ```
///         served 4 (or 1 after quiet)             64 served, or looked at
///   usual ──────────────────────────▶ idle class ─────────────────────────▶ (counts anew)
///     ▲ ▲     requests close enough     │    │
///     │ └──── quiet, or `stop` ─────────┘    │ others had the CPU
///     └─────────── BackOff is over ─── paused ◀┘
/// ```
///
/// One for each serving thread, made and used by that thread.
final class CPUHandover: @unchecked Sendable {
    // Safe to share: apart from what is atomic, the thread and the scheduler use different variables.

    // MARK: The thread's own
    private var served = 0
    private var needed = CPUHandover.period
    private var since: UInt64
    private var waited: Int64
    private var preemptions: Int64 = 0
    /// Whether it was to be of the idle class at the last look.
    private var wasWanted = false
    /// Other threads had the CPU, so it will not try again for a while.
    private(set) var isPaused = false
    private var backOff = BackOff()
    private var knownRescues = 0

    // MARK: Shared
    /// How many requests it has served.
    let total = Atomic(0)
    /// Whether it is to be of the idle class. The thread sets it, and either side clears it.
    let isWanted = Atomic(false)
    /// How often the scheduler took it back because other threads had the CPU.
    let rescues = Atomic(0)
    /// The scheduler has looked at it, and asks the thread to look at itself.
    let isDue = Atomic(false)

    /// Belongs to the scheduler, and is guarded by its lock.
    var place: HandoverScheduler.Place

    /// How many requests it serves between two looks at itself: in the usual class, and in the idle one.
    private static let period = 4
    private static let idlePeriod = 64
    /// Nanoseconds for each request above which the scheduler's work does not pay, and above which another caller
    /// may well compute on the CPU when the next one asks: measured with `make -j2`, which was a tenth slower
    /// otherwise.
    private static let busy: UInt64 = 5_000_000
    private static let dense: UInt64 = 300_000
    /// Nanoseconds of waiting for the CPU for each request above which other threads want it. In the idle class the
    /// caller itself runs for one or two microseconds after it has asked. In the usual class the wait may also be
    /// for the caller, which computes before its thread has gone to sleep, or for a CPU that had to wake up.
    private static let idleContended: UInt64 = 100_000
    private static let contended: UInt64 = 1_000_000
    /// Nanoseconds of waiting altogether in the idle class below which nothing is done.
    private static let little: UInt64 = 3_000_000

    /// Called by a thread that is going to serve requests. nil where it can't change its class and back (without
    /// CAP_SYS_NICE and with RLIMIT_NICE below 20), where another class was chosen for it, where the kernel does not
    /// say how long it waits for its CPU, and without a descriptor.
    static func join() -> CPUHandover? {
        guard HandoverScheduler.shared.isPossible, cfuse_is_usual_class() != 0 else { return nil }
        let waited = cfuse_thread_waited()
        var clock = clockid_t()
        guard waited >= 0, pthread_getcpuclockid(pthread_self(), &clock) == 0,
            let stat = try? OwnedFD.open("/proc/thread-self/stat", O_RDONLY)
        else { return nil }
        let place = HandoverScheduler.Place(thread: cfuse_thread_id(), clock: clock, stat: OpenFile(stat))
        let handover = CPUHandover(place, waited: waited)
        return HandoverScheduler.shared.add(handover) ? handover : nil
    }

    private init(_ place: HandoverScheduler.Place, waited: Int64) {
        self.place = place
        self.waited = waited
        since = KernelClock.monotonic
    }

    /// Whether its callers go on where they are, or soon will.
    var isOn: Bool { isWanted.load(ordering: .sequentiallyConsistent) }

    /// Counts a request that it served. `isLocal`: as far as is known, the next caller is on this CPU, too, so no
    /// earlier caller computes here then.
    func noteServed(isLocal: Bool) {
        total.wrappingAdd(1, ordering: .relaxed)
        let isTakenBack = wasWanted && !isOn
        let isLate = isTakenBack || wasWanted && isDue.load(ordering: .sequentiallyConsistent)
        served += 1
        guard served >= needed || isLate else { return }
        let time = KernelClock.monotonic
        if isTakenBack {
            beginAnew(time)
        } else if !isPaused {
            consider(time, isLocal)
        } else if time < backOff.end {
            served = 0
        } else {
            isPaused = false
            beginPeriod(time)
        }
    }

    /// Begins anew because other threads may want the CPU.
    func stop() {
        guard wasWanted else { return }
        leaveClass()
        beginPeriod(KernelClock.monotonic)
    }

    /// Called by a thread that serves no more.
    func leave() {
        // A thread of the idle class might have to wait while it keeps the scheduler waiting.
        leaveClass()
        HandoverScheduler.shared.remove(self)
        // The scheduler may have been about to change the class.
        cfuse_set_idle(0, 0)
    }

    // MARK: - Periods

    private func beginPeriod(_ time: UInt64) {
        served = 0
        needed = wasWanted ? CPUHandover.idlePeriod : CPUHandover.period
        since = time
        waited = max(waited, cfuse_thread_waited())
        preemptions = cfuse_thread_preemptions()
        isDue.store(false, ordering: .sequentiallyConsistent)
    }

    /// Ends the period and decides whether to change classes.
    private func consider(_ time: UInt64, _ isLocal: Bool) {
        let count = UInt64(served)
        let took = time &- since
        let (hadWaited, hadPreemptions) = (waited, preemptions)
        beginPeriod(time)
        let waiting = UInt64(max(waited - hadWaited, 0))
        if !wasWanted {
            let isWorthIt = took < count * (isLocal ? CPUHandover.busy : CPUHandover.dense)
            if isWorthIt, waiting < count * CPUHandover.contended { joinClass() }
        } else if waiting > CPUHandover.little, waiting > count * CPUHandover.idleContended {
            // If its caller takes the CPU before going to sleep, it waits for as long as the caller computes.
            let isPreempted = preemptions - hadPreemptions >= Int64(count / 2)
            if !isPreempted || waiting > count * 2 * CPUHandover.busy { pause(time) }
        }
    }

    /// Begins anew after the scheduler has taken it back.
    private func beginAnew(_ time: UInt64) {
        wasWanted = false
        guard rescues.load(ordering: .sequentiallyConsistent) == knownRescues else { return pause(time) }
        beginPeriod(time)
        // There were no requests for a while: the next one soon is enough.
        needed = 1
    }

    // MARK: - Classes

    private func joinClass() {
        let isJoined = HandoverScheduler.shared.want(self) {
            self.knownRescues = self.rescues.load(ordering: .sequentiallyConsistent)
        }
        guard isJoined else { return }
        needed = CPUHandover.idlePeriod
        wasWanted = true
    }

    /// Leaves the class without waiting for the scheduler to do it.
    private func leaveClass() {
        wasWanted = false
        isWanted.store(false, ordering: .sequentiallyConsistent)
        cfuse_set_idle(0, 0)
    }

    /// Pauses because other threads had the CPU.
    private func pause(_ time: UInt64) {
        leaveClass()
        served = 0
        needed = CPUHandover.period
        isPaused = true
        backOff.begin(at: time)
    }
}
