import CFUSE
import Glibc
import Linux
import Synchronization

/// One of the threads that read /dev/fuse (`LeadingReaders`), and whether it leads. Used by its own thread, except
/// for `steps`.
final class LeadingReader: @unchecked Sendable {
    // Safe to share: other threads read only `steps`, which is atomic.
    private unowned(unsafe) let readers: LeadingReaders
    let number: Int
    /// The CPU where it belongs, and the one where it is; nil: any CPU.
    private let home: Int?
    private var cpu: Int?
    private var handover: CPUHandover?
    private(set) var isLeading = false
    /// Read by the watcher: odd while requests may have to wait for this thread.
    let steps = Atomic(0)
    private let route = UnsafeMutablePointer<cfuse_route>.allocate(capacity: 1)

    // The request that is being served, until it is answered.
    private var isUnanswered = false
    private var start: UInt64 = 0
    private var answered: UInt64 = 0
    /// Whether a caller waits for it, and whether it came long after the last answer.
    private var isWaitedFor = false
    private var isRare = false

    // The current period.
    private var served = 0
    private var turns = 0
    private var slow = 0
    /// Periods since the caller's CPU was last looked up.
    private var periods = 0
    /// How many requests in a row were late, and how many are enough to look for the caller.
    private var late = 0
    private var tolerance = LeadingReader.firstTolerance
    private var caller: UInt32 = 0
    /// Requests of this caller in a row.
    private var same = 0
    /// Periods until it may lead again, now and the next time.
    private var pause = 0
    private var nextPause = LeadingReader.firstPause

    /// How many requests a thread serves between two decisions.
    private static let period = 32
    /// How many changes of the caller in a period are few enough to lead, and too many to go on.
    private static let fewTurns = period / 8
    private static let manyTurns = period / 4
    /// After how many periods the caller's CPU is looked up although it does not seem to have moved.
    private static let samePlace = 8
    /// Nanoseconds above which a request is slow, so that others should not wait for its thread; and how many slow
    /// ones in a period are too many.
    private static let long: UInt64 = 50_000
    private static let manySlow = period / 4
    /// Nanoseconds from an answer to the next request above which that may come from another CPU, and above which it
    /// counts for two or more; and how many late ones it takes, at first, to look for the caller.
    private static let lateness: UInt64 = 20_000
    private static let rareness = 16 * lateness
    private static let firstTolerance = 2
    /// After how many requests of one caller there seems to be no other.
    private static let alone = 64
    /// For how many periods a thread that did not pay as a leader may not lead: at first, and at most.
    private static let firstPause = 2
    private static let lastPause = 256

    init(_ readers: LeadingReaders, number: Int, home: Int?) {
        self.readers = readers
        self.number = number
        self.home = home
        cpu = home
        route.initialize(
            to: cfuse_route(
                reply: { route, _, _, _ in
                    if let context = route.pointee.context {
                        Unmanaged<LeadingReader>.fromOpaque(context).takeUnretainedValue().noteAnswer()
                    }
                    return 0
                },
                context: Unmanaged.passUnretained(self).toOpaque(),
                payload: nil
            )
        )
    }

    deinit { route.deallocate() }

    /// Waits for this thread's turn, reads one request into `buffer` and serves it. 0, or -errno where reading
    /// failed.
    func serveNext(_ buffer: UnsafeMutableRawPointer) -> Int32 {
        if isLeading, !readers.isLed(by: self) { resign(pausing: true) }
        readers.waitForTurn(self)
        let size = cfuse_read_request(readers.connection, buffer)
        guard size > 0 else { return Int32(size) }
        let caller = cfuse_request_caller(buffer)
        isWaitedFor = cfuse_request_is_waited_for(buffer) != 0
        start = KernelClock.monotonic
        if isLeading {
            beginServing()
            isRare = start &- answered > LeadingReader.rareness
            if isWaitedFor { note(gap: start &- answered) }
        }
        isUnanswered = true
        cfuse_serve_request(readers.connection, buffer, size, route)
        noteAnswer()
        guard isLeading else {
            consider(caller)
            return 0
        }
        // FORGETs that were put off do not count as a request that this thread served.
        guard isWaitedFor || !readers.forgets.hasTaken() else { return 0 }
        handover?.noteServed(isLocal: same >= LeadingReader.alone)
        beginServing()
        consider(caller)
        endServing()
        return 0
    }

    /// Called when it answers its request, after which the caller may have the CPU.
    private func noteAnswer() {
        guard isUnanswered else { return }
        isUnanswered = false
        let time = KernelClock.monotonic
        let took = time &- start
        if isWaitedFor {
            answered = time
            if took > LeadingReader.long { slow += 1 }
        } else {
            // A request without a waiting caller has only put off the next one.
            answered = answered &+ took
        }
        if isLeading { endServing() }
    }

    /// Says that requests may have to wait for this leader from now on, until `endServing`.
    private func beginServing() {
        steps.wrappingAdd(1, ordering: .sequentiallyConsistent)
        readers.wakeWatcher()
    }

    private func endServing() { steps.wrappingAdd(1, ordering: .sequentiallyConsistent) }

    /// The same for a reader that is about to lead. Precondition: the readers' lock is held.
    func beginLooking() { steps.bitwiseOr(1, ordering: .sequentiallyConsistent) }

    // MARK: - Leading

    private func lead() {
        guard readers.mayBeLed else { return }
        // Without a handover the caller would be the one that moves.
        guard let handover = CPUHandover.join() else {
            pause = LeadingReader.lastPause
            nextPause = LeadingReader.lastPause
            return
        }
        guard readers.appoint(self) else {
            handover.leave()
            pause = LeadingReader.firstPause
            return
        }
        self.handover = handover
        isLeading = true
        readers.forgets.follow(cpu)
        follow()
        endServing()
    }

    /// Leads no more. `pausing`: because it did not pay.
    func resign(pausing: Bool) {
        readers.dismiss(self)
        isLeading = false
        readers.forgets.follow(nil)
        handover?.leave()
        handover = nil
        if cpu != home {
            if let home { _ = cfuse_pin(UInt32(home)) } else { cfuse_unpin(-1) }
            cpu = home
        }
        guard pausing else { return }
        pause = nextPause
        if nextPause < LeadingReader.lastPause { nextPause *= 2 }
    }

    /// Moves to the CPU of the last caller; false where it is there. Requests may have to wait for this thread: if
    /// the caller is ending, a thread that looks at it in /proc may have to end its mappings, and write out what
    /// they changed of this mount's files.
    @discardableResult private func follow() -> Bool {
        late = 0
        periods = 0
        let found = Int(cfuse_last_cpu(caller))
        guard found >= 0, found != cpu, cfuse_may_use(CInt(found)) != 0, cfuse_pin(UInt32(found)) == 0 else {
            return false
        }
        cpu = found
        readers.forgets.follow(found)
        return true
    }

    /// Follows a caller that has moved, before long: a request from another CPU takes longer to arrive.
    private func note(gap: UInt64) {
        guard gap >= LeadingReader.lateness, handover?.isOn == true else {
            late = 0
            return
        }
        late += 1 + Int(min(gap / LeadingReader.rareness, UInt64(LeadingReader.period)))
        guard late >= tolerance else { return }
        // If the caller had not moved, it has something else to do between requests, and will have again.
        tolerance = follow() ? LeadingReader.firstTolerance : min(2 * tolerance, LeadingReader.period)
        // The time that this took is not the request's.
        start = KernelClock.monotonic
    }

    /// Decides after each request whether to lead from now on, or no longer. `caller` is 0 where it can't be seen.
    private func consider(_ caller: UInt32) {
        if isLeading, handover?.isPaused == true {
            // Other threads want this CPU, and it would drive its callers from one CPU to the next.
            readers.rest()
            return resign(pausing: false)
        }
        if isWaitedFor, caller == 0 || caller != self.caller {
            turns += 1
            same = 0
            if caller != 0 { self.caller = caller }
            if isLeading {
                // The earlier caller may compute on this CPU while the later one waits for it.
                if isRare { handover?.stop() }
                follow()
            }
        } else if isWaitedFor {
            same += 1
        }
        served += 1
        if served >= LeadingReader.period { endPeriod() }
    }

    private func endPeriod() {
        let isSlow = slow > LeadingReader.manySlow
        let turns = turns
        served = 0
        self.turns = 0
        slow = 0
        if isLeading {
            guard !isSlow, turns <= LeadingReader.manyTurns else { return resign(pausing: true) }
            periods += 1
            if periods >= LeadingReader.samePlace { follow() }
            if nextPause > LeadingReader.firstPause { nextPause -= 1 }
        } else if pause > 0 {
            pause -= 1
        } else if !isSlow, turns <= LeadingReader.fewTurns, caller != 0 {
            lead()
        }
    }
}
