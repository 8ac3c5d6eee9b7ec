import CFUSE
import Glibc
import Linux
import Synchronization

/// Decides which threads read /dev/fuse: all of them, or one alone, on its callers' CPU.
///
/// The kernel wakes the thread that has waited longest, wherever that is; if it is on another CPU than the caller,
/// both halves of a round trip wake a CPU. So while callers ask one after the other, one thread leads: it alone
/// reads, on the CPU of the last caller, and hands that CPU over (`CPUHandover`). The others wait until callers ask
/// at the same time, or requests take long: a watcher looks every two milliseconds while requests come.
/// docs/adr/0017 has the measurements.
///
/// ```
///                few turns in 32 requests, none slow
///   all read ────────────────────────────────────────▶ one leads
///      ▲    ◀── many turns, or slow: pause 2, 4 … 256 periods ──┤
///      ├──── others want its CPU: no leader for a BackOff ──────┤
///      └──── the watcher: it serves, and a request waits ───────┘
/// ```
final class LeadingReaders: RequestReaders, @unchecked Sendable {
    // Safe to share: what is not atomic is guarded by `lock`.
    let connection: UnsafeMutablePointer<cfuse_connection>
    let forgets: ForgetQueue
    private let lock = PriorityLock()
    /// Signalled when all threads read again.
    private let all = PriorityLock.Condition()
    /// Signalled when there is something to watch.
    private let active = PriorityLock.Condition()
    private var readers: [LeadingReader] = []
    /// The number in `readers` of the thread that leads; -1: all read. Changed under the lock.
    private let leader = Atomic(-1)
    /// How many threads read. One alone does not lead, because no other could take over.
    private let count = Atomic(0)
    /// Whether the watcher sleeps until there is something to watch.
    private let isAsleep = Atomic(false)
    private var isWatched = false
    private var isOver = false
    /// No thread leads until its end, because other threads wanted a leader's CPU.
    private var backOff = BackOff()

    /// Nanoseconds between two looks of the watcher.
    private static let tick: UInt64 = 2_000_000
    /// Nanoseconds for which a thread spins for the next request before it sleeps: as long as waking it up takes.
    private static let spin: CInt = 5_000

    init(_ connection: UnsafeMutablePointer<cfuse_connection>, _ forgets: ForgetQueue) {
        self.connection = connection
        self.forgets = forgets
    }

    func serve(_ buffer: UnsafeMutableRawPointer, cpu: UInt16?) -> Int32 {
        let reader = join(cpu)
        defer { leave(reader) }
        var spinner = Spinner()
        while true {
            let result = reader.serveNext(buffer)
            guard result >= 0 else { return result }
            // Without a leader it spins for the next request before sleeping, as long as that pays.
            if cpu != nil, !reader.isLeading, spinner.isWorthIt {
                spinner.note(found: cfuse_spin(connection, LeadingReaders.spin) != 0)
            }
        }
    }

    private func join(_ cpu: UInt16?) -> LeadingReader {
        count.wrappingAdd(1, ordering: .sequentiallyConsistent)
        return lock.locked {
            let reader = LeadingReader(self, number: readers.count, home: cpu.map(Int.init))
            readers.append(reader)
            return reader
        }
    }

    /// Ends a reader, and lets all others that wait for their turn read.
    private func leave(_ reader: LeadingReader) {
        if reader.isLeading { reader.resign(pausing: false) }
        lock.lock()
        isOver = true
        count.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        dismiss()
        active.signal()
        while isWatched { all.wait(lock) }
        lock.unlock()
        forgets.end()
    }

    // MARK: - For readers

    func isLed(by reader: LeadingReader) -> Bool {
        leader.load(ordering: .sequentiallyConsistent) == reader.number
    }

    /// Waits while another thread leads.
    func waitForTurn(_ reader: LeadingReader) {
        func isOthers(_ leader: Int) -> Bool { leader >= 0 && leader != reader.number }
        guard isOthers(leader.load(ordering: .sequentiallyConsistent)) else { return }
        lock.lock()
        while isOthers(leader.load(ordering: .sequentiallyConsistent)) { all.wait(lock) }
        lock.unlock()
    }

    /// Whether a thread could lead now.
    var mayBeLed: Bool {
        guard leader.load(ordering: .sequentiallyConsistent) < 0,
            count.load(ordering: .sequentiallyConsistent) >= 2
        else { return false }
        return lock.locked { KernelClock.monotonic >= backOff.end }
    }

    /// Makes a reader the leader, which then looks for its caller. False where another one leads, or there is no
    /// watcher.
    func appoint(_ reader: LeadingReader) -> Bool {
        lock.locked {
            if !isWatched, !isOver { isWatched = DetachedThread.start { self.watch() } }
            guard isWatched, !isOver, leader.load(ordering: .sequentiallyConsistent) < 0 else { return false }
            reader.beginLooking()
            leader.store(reader.number, ordering: .sequentiallyConsistent)
            active.signal()
            return true
        }
    }

    func dismiss(_ reader: LeadingReader) {
        lock.locked { if isLed(by: reader) { dismiss() } }
    }

    /// Lets no thread lead for a while, because other threads wanted a leader's CPU.
    func rest() {
        lock.locked { backOff.begin(at: KernelClock.monotonic) }
    }

    /// Makes the watcher look because a leader serves from now on.
    func wakeWatcher() {
        guard isAsleep.load(ordering: .sequentiallyConsistent) else { return }
        // The watcher looks once more, under the lock, before it sleeps: so it sleeps by now, or will see.
        lock.locked {}
        active.signal()
    }

    // MARK: - Under the lock

    /// Lets all threads read again.
    private func dismiss() {
        leader.store(-1, ordering: .sequentiallyConsistent)
        all.wakeAll()
    }

    /// The watcher's thread. A leader that still serves the request of the last look leads no more if another
    /// request waits to be read.
    private func watch() {
        cfuse_begin_watching()
        lock.lock()
        defer { lock.unlock() }
        var known = -1
        var last = 0
        while !isOver {
            var number = leader.load(ordering: .sequentiallyConsistent)
            let steps = number < 0 ? 0 : readers[number].steps.load(ordering: .sequentiallyConsistent)
            let isStill = number == known && steps == last
            let isServing = !steps.isMultiple(of: 2)
            known = number
            last = steps
            if number >= 0, isStill, isServing, cfuse_is_asked(connection) != 0 {
                dismiss()
                number = -1
            }
            if number < 0 || isStill && !isServing {
                isAsleep.store(true, ordering: .sequentiallyConsistent)
                // The leader may have begun to serve in between, and seen no need to wake the watcher.
                if number < 0 || readers[number].steps.load(ordering: .sequentiallyConsistent) == steps {
                    active.wait(lock)
                }
                isAsleep.store(false, ordering: .sequentiallyConsistent)
                known = -1
            }
            if !isOver { active.wait(lock, nanoseconds: LeadingReaders.tick) }
        }
        isWatched = false
        all.wakeAll()
    }
}
