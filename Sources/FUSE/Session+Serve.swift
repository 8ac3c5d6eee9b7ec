import CFUSE
import Glibc
import Linux
import SystemPackage

extension Session {
    /// Nanoseconds that a thread looks for the next request before it sleeps: what it takes to be woken up.
    private static let spin: CInt = 5_000
    /// Microseconds between two reads of /dev/fuse where requests come by io_uring.
    private static let forgetPause: UInt32 = 500
    /// Threads that wait at each CPU's queue. One serves; the others are there for when it waits for a disk.
    private static let threadsPerQueue = 3

    /// Serves until the mount is gone, on this thread and others. `threads`: how many read /dev/fuse; of rings
    /// there are as many as CPUs want. Calls `started` when the others are there.
    package func run(threads: Int, started: () -> Void) {
        let cpus = CPUs.online()
        // Fewer serve just as well.
        let others = (1..<max(threads, 1)).compactMap { number in
            try? WorkerThread { self.read(cpu: number < cpus.count ? cpus[number] : nil, of: cpus) }
        }
        started()
        read(cpu: cpus.first, of: cpus)
        for thread in others { thread.join() }
        // Complete: whoever started them was among the others, or is this thread.
        for thread in ringThreads { thread.join() }
    }

    /// Reads requests from /dev/fuse and serves them. At `cpu`, if there is one, and then looking for the next
    /// request for a moment before sleeping, as long as that pays.
    private func read(cpu: UInt16?, of cpus: [UInt16]) {
        prepareThread(cpu: cpu)
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: Int(CFUSE_BUFFER_SIZE), alignment: 4096)
        defer { buffer.deallocate() }
        var spinner = Spinner()
        while true {
            let result = cfuse_serve(connection, buffer)
            if result < 0 {
                if result != -ENODEV { log("read from /dev/fuse: \(Errno(rawValue: -result))") }
                return
            }
            if result == 1 { serveRings(at: cpus) }
            if connection.pointee.has_rings != 0 {
                // What comes here now is what needs no answer. A little later there is more of it, in one message.
                usleep(Session.forgetPause)
                continue
            }
            if cpu != nil, spinner.isWorthIt {
                spinner.note(found: cfuse_spin(connection, Session.spin) != 0)
            }
        }
    }

    /// Starts the threads of the rings, which end with the mount. `cpus`: those the process may run on, which this
    /// thread, kept on one of them, cannot tell.
    private func serveRings(at cpus: [UInt16]) {
        let possible = CPUs.possible()
        let online = Set(cpus)
        var rings: [(queues: [UInt16], cpu: UInt16?)] = possible.filter(online.contains).flatMap { queue in
            Array(repeating: ([queue], queue), count: Session.threadsPerQueue)
        }
        // Of CPUs that are off, or not for us: one thread for all.
        let rest = possible.filter { !online.contains($0) }
        if !rest.isEmpty { rings.append((rest, nil)) }
        let start = RingStart(rings.count)
        for ring in rings {
            do throws(Errno) {
                ringThreads.append(
                    try WorkerThread { self.serveRing(ring.queues, cpu: ring.cpu, after: start) }
                )
            } catch {
                start.arrive()
                abandon("start a thread", error)
            }
        }
    }

    private func serveRing(_ queues: [UInt16], cpu: UInt16?, after start: RingStart) {
        prepareThread(cpu: cpu)
        guard let ring = cfuse_ring_open(connection, queues, UInt32(queues.count)) else {
            start.arrive()
            return abandon("make a ring", .last)
        }
        start.wait()
        let result = cfuse_ring_serve(ring)
        cfuse_ring_close(ring)
        if result != -ENODEV { abandon("serve a ring", Errno(rawValue: -result)) }
    }

    /// Without all its rings the kernel would wait for ever: better no mount than one that hangs.
    private func abandon(_ what: String, _ error: Errno) {
        log("io_uring: \(what): \(error); the mount is given up")
        raise(SIGTERM)
    }

    private func prepareThread(cpu: UInt16?) {
        // umask and working directory become this thread's own.
        let result = cfuse_unshare()
        if result != 0 { log("unshare: \(Errno(rawValue: -result))") }
        // Where it may not be, it serves elsewhere.
        if let cpu { _ = cfuse_pin(UInt32(cpu)) }
    }
}

/// Lets all threads of the rings register at once: the kernel sends requests as soon as each queue has one entry, and
/// one that waits for an entry is not given to the next that registers.
private final class RingStart: @unchecked Sendable {
    // Safe to share: `missing` is only touched under `lock`.
    private let lock = Lock()
    private var missing: Int

    init(_ count: Int) { missing = count }

    /// One thread is ready, or never will be.
    func arrive() {
        lock.locked {
            missing -= 1
            if missing == 0 { lock.wakeAll() }
        }
    }

    /// Is ready, and waits for the others.
    func wait() {
        arrive()
        lock.locked { while missing > 0 { lock.wait() } }
    }
}

/// Whether to spin before sleeping: as long as it finds something, and now and then to see whether it would.
private struct Spinner {
    private var misses = 0
    private var pause = 0

    var isWorthIt: Bool {
        mutating get {
            guard pause > 0 else { return true }
            pause -= 1
            return false
        }
    }

    mutating func note(found: Bool) {
        misses = found ? 0 : misses + 1
        // The more in vain, the rarer: at most one try in 64 requests.
        if misses > 2 { pause = min(1 << (misses - 2), 64) }
    }
}
