import CFUSE
import Glibc
import Linux
import SystemPackage

extension Session {
    /// Microseconds between two reads of /dev/fuse where requests come by io_uring.
    private static let forgetPause: UInt32 = 500
    /// How many threads wait at each CPU's queue. One serves; the others take over when it waits for a disk.
    private static let threadsPerQueue = 3

    /// Serves until the mount is gone, on this thread and others. `threads`: how many read /dev/fuse where there are
    /// no rings. The number of rings follows from the number of CPUs. Calls `started` when the other threads are
    /// running.
    package func run(threads: Int, started: () -> Void) {
        let cpus = CPUs.online()
        prepareThread(cpu: cpus.first)
        let buffer = Session.buffer()
        defer { buffer.deallocate() }
        // The first request is INIT, which says where the others come from.
        repeat {
            guard serveNext(buffer, cpus) else { return started() }
        } while connection.pointee.kernel_minor == 0
        if connection.pointee.has_rings != 0 {
            started()
            helpRings(at: cpus)
            // From now on only requests without a reply come here. After a pause there are several, in one message.
            while serveNext(buffer, cpus) { usleep(Session.forgetPause) }
            for thread in ringThreads { thread.join() }
            return
        }
        let readers = readers(cpus)
        mostWaiting = threads - 1
        // If some can't be started, fewer serve as well.
        let others = (1..<max(threads, 1)).compactMap { number in
            try? WorkerThread {
                let cpu = number < cpus.count ? cpus[number] : nil
                self.prepareThread(cpu: cpu)
                let buffer = Session.buffer()
                defer { buffer.deallocate() }
                _ = self.goesOn(readers.serve(buffer, cpu: cpu))
            }
        }
        started()
        _ = goesOn(readers.serve(buffer, cpu: cpus.first))
        for thread in others { thread.join() }
    }

    private func readers(_ cpus: [UInt16]) -> any RequestReaders {
        guard scheduling == .leading else { return PlainReaders(connection: connection) }
        let forgets = ForgetQueue(operations, hasOtherCPUs: cpus.count > 1)
        self.forgets = forgets
        return LeadingReaders(connection, forgets)
    }

    private static func buffer() -> UnsafeMutableRawPointer {
        .allocate(byteCount: Int(CFUSE_BUFFER_SIZE), alignment: 4096)
    }

    /// Reads one request from /dev/fuse and serves it. False when there are no more.
    private func serveNext(_ buffer: UnsafeMutableRawPointer, _ cpus: [UInt16]) -> Bool {
        let size = cfuse_read_request(connection, buffer)
        guard size > 0 else { return goesOn(CInt(size)) }
        if cfuse_serve_request(connection, buffer, size, nil) == 1 { serveRings(at: cpus) }
        return true
    }

    /// Whether to go on after a read of /dev/fuse that returned `result`.
    private func goesOn(_ result: CInt) -> Bool {
        if result < 0, result != -ENODEV { log("read from /dev/fuse: \(Errno(rawValue: -result))") }
        return result >= 0
    }

    /// Starts a thread for each queue, which ends with the mount. The kernel sends nothing until all queues are
    /// there. `cpus`: the CPUs that the process may run on, which this thread can't tell, because it is pinned to
    /// one.
    private func serveRings(at cpus: [UInt16]) {
        let possible = CPUs.possible()
        let online = Set(cpus)
        var rings: [(queues: [UInt16], cpu: UInt16?)] = possible.filter(online.contains).map { ([$0], $0) }
        // One thread serves the queues of all CPUs that are offline, or not for this process.
        let rest = possible.filter { !online.contains($0) }
        if !rest.isEmpty { rings.append((rest, nil)) }
        for ring in rings {
            do throws(Errno) {
                ringThreads.append(
                    try WorkerThread { self.serveRing(ring.queues, cpu: ring.cpu, isNeeded: true) }
                )
            } catch {
                abandon("io_uring: start a thread", error)
            }
        }
    }

    /// Starts the other threads of each CPU's queue a little later, so that the first requests need not wait for
    /// them.
    private func helpRings(at cpus: [UInt16]) {
        usleep(Session.forgetPause)
        for queue in CPUs.possible() where cpus.contains(queue) {
            for _ in 1..<Session.threadsPerQueue {
                guard let helper = try? WorkerThread({ self.serveRing([queue], cpu: queue, isNeeded: false) })
                else { return log("io_uring: fewer threads than wanted: \(Errno.last)") }
                ringThreads.append(helper)
            }
        }
    }

    private func serveRing(_ queues: [UInt16], cpu: UInt16?, isNeeded: Bool) {
        prepareThread(cpu: cpu)
        guard let ring = cfuse_ring_open(connection, queues, UInt32(queues.count)) else {
            let message = "io_uring: make a ring"
            return isNeeded ? abandon(message, .last) : log("\(message): \(Errno.last)")
        }
        let turns = scheduling == .leading ? RingTurns() : nil
        let result = cfuse_ring_serve(
            ring,
            { turns in
                if let turns { Unmanaged<RingTurns>.fromOpaque(turns).takeUnretainedValue().noteServed() }
            },
            turns.map { Unmanaged.passUnretained($0).toOpaque() }
        )
        turns?.leave()
        cfuse_ring_close(ring)
        if result != -ENODEV { abandon("io_uring: serve a ring", Errno(rawValue: -result)) }
    }

    /// Gives up the mount: without all its rings the kernel would wait for ever, and no mount is better than one
    /// that hangs.
    private func abandon(_ what: String, _ error: Errno) {
        log("\(what): \(error); the mount is given up")
        // To the process, because another thread waits for the signal.
        kill(getpid(), SIGTERM)
    }

    private func prepareThread(cpu: UInt16?) {
        // Gives this thread its own umask and working directory.
        let result = cfuse_unshare()
        if result != 0 { log("unshare: \(Errno(rawValue: -result))") }
        // Where it may not run on that CPU, it serves on another.
        if let cpu { _ = cfuse_pin(UInt32(cpu)) }
    }
}
