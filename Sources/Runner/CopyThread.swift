import Linux

import Glibc

/// A thread that moves bytes with blocking calls: what one reader doesn't take must not hold up another,
/// or a signal.
struct CopyThread {
    private let thread: WorkerThread?

    /// Runs `body` at once in the caller where no thread can be had.
    init(_ body: @escaping @Sendable () -> Void) {
        thread = try? WorkerThread(body)
        if thread == nil { body() }
    }

    /// Waits for its end. Once at most.
    func join() {
        thread?.join()
    }

    func detach() {
        thread?.detach()
    }

    /// Reads `source` to its end, or to an error, and gives every piece to `sink`; ends as well when that
    /// throws. `process`, a pidfd: once that has ended, takes what is there and waits for no more, since a
    /// program in the background may have the other end for ever.
    static func copy(
        from source: CInt,
        until process: CInt = -1,
        to sink: (UnsafeRawBufferPointer) throws -> Void
    ) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { buffer.deallocate() }
        var watched = [
            pollfd(fd: source, events: Int16(POLLIN), revents: 0),
            pollfd(fd: process, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            if process >= 0, watched[1].revents == 0 {
                guard poll(&watched, 2, -1) > 0 || errno == EINTR else { return }
                if watched[1].revents != 0 { _ = fcntl(source, F_SETFL, O_NONBLOCK) }
            }
            let count = read(source, buffer.baseAddress, buffer.count)
            if count == -1, errno == EINTR { continue }
            guard count > 0 else { return }
            do { try sink(UnsafeRawBufferPointer(rebasing: buffer[..<count])) } catch { return }
        }
    }
}
