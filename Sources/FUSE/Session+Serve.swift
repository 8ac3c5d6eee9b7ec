import CFUSE
import Glibc
import Linux
import SystemPackage

extension Session {
    /// Microseconds between two reads of /dev/fuse where requests come by io_uring.
    private static let forgetPause: UInt32 = 500
    /// Threads that wait at each CPU's queue. One serves; the others are there for when it waits for a disk.
    private static let threadsPerQueue = 3

    /// Serves until the mount is gone, on this thread and others. `threads`: how many read /dev/fuse where there are no
    /// rings; of rings there are as many as CPUs want. Calls `started` when the others are there.
    package func run(threads: Int, started: () -> Void) {
        let cpus = CPUs.online()
        prepareThread(cpu: cpus.first)
        let buffer = Session.buffer()
        defer { buffer.deallocate() }
        // The first one is INIT, which says where the others come from.
        repeat {
            guard serveNext(buffer, cpus) else { return started() }
        } while connection.pointee.kernel_minor == 0
        if connection.pointee.has_rings != 0 {
            started()
            helpRings(at: cpus)
            // What comes here now is what needs no answer. A little later there is more of it, in one message.
            while serveNext(buffer, cpus) { usleep(Session.forgetPause) }
            for thread in ringThreads { thread.join() }
            return
        }
        let readers = readers(cpus)
        mostWaiting = threads - 1
        // Fewer serve just as well.
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

    /// After a read of /dev/fuse that came to `result`.
    private func goesOn(_ result: CInt) -> Bool {
        if result < 0, result != -ENODEV { log("read from /dev/fuse: \(Errno(rawValue: -result))") }
        return result >= 0
    }

    /// Starts a thread for each queue, which end with the mount; until all are there the kernel sends nothing. `cpus`:
    /// those the process may run on, which this thread, kept on one of them, cannot tell.
    private func serveRings(at cpus: [UInt16]) {
        let possible = CPUs.possible()
        let online = Set(cpus)
        var rings: [(queues: [UInt16], cpu: UInt16?)] = possible.filter(online.contains).map { ([$0], $0) }
        // Of CPUs that are off, or not for us: one thread for all.
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

    /// Starts the other threads of each CPU's queue, a little later: the first requests need not wait for them.
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

    /// Without all its rings the kernel would wait for ever: better no mount than one that hangs.
    private func abandon(_ what: String, _ error: Errno) {
        log("\(what): \(error); the mount is given up")
        // To the process: the thread that waits for it is another one.
        kill(getpid(), SIGTERM)
    }

    private func prepareThread(cpu: UInt16?) {
        // umask and working directory become this thread's own.
        let result = cfuse_unshare()
        if result != 0 { log("unshare: \(Errno(rawValue: -result))") }
        // Where it may not be, it serves elsewhere.
        if let cpu { _ = cfuse_pin(UInt32(cpu)) }
    }
}
