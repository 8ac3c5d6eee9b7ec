import Linux
import SystemPackage

import CLinux
import Glibc
import Synchronization

/// One output stream of a program, on its way to the log and then to the client.
///
/// A client that does not read blocks the thread that copies, and through it the program, but never the end: once
/// the program is gone, `takeOver` moves what is left to the log, and to this thread for when the client continues.
final class OutputChannel: Sendable {
    private struct State: ~Copyable {
        /// The descriptor to read from, if this object owns it.
        var pipe: OwnedFD?
        var isTakenOver = false
        var isDone = false
        /// Bytes that are in the log and still have to go to the client.
        var rest: [UInt8] = []
        /// Closed at the end, for a thread that waits for it.
        var end: OwnedFD?
    }

    /// The largest size of a pipe (/proc/sys/fs/pipe-max-size); a program in the background may write for ever.
    private static let mostLeft = 1 << 20

    private let state: Mutex<State>
    private let source: CInt
    private let process: ContainerProcess
    private let stream: StdioProxy.Stream
    private let log: StdioProxy.Sink
    private let client: StdioProxy.Sink

    /// For the stream that is read from `source`, which is `pipe` or the terminal of `process`.
    init(
        _ source: CInt,
        owning pipe: consuming OwnedFD? = nil,
        of process: ContainerProcess,
        _ stream: StdioProxy.Stream,
        log: @escaping StdioProxy.Sink,
        client: @escaping StdioProxy.Sink
    ) {
        state = Mutex(State(pipe: pipe))
        (self.source, self.process, self.stream, self.log, self.client) = (
            source, process, stream, log, client
        )
        // From the beginning, because bytes that poll(2) has seen may be gone when they are to be read: a process in
        // the container can open the other end anew and take them. The flags of our end are not shared.
        _ = fcntl(source, F_SETFL, O_NONBLOCK)
    }

    /// Copies until the stream ends, `takeOver` is called, or the client is gone; the latter closes the stream,
    /// which the program notices. Runs on a thread of its own.
    func copy() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer {
            buffer.deallocate()
            finish()
        }
        do {
            var watched = [
                pollfd(fd: source, events: Int16(POLLIN), revents: 0),
                pollfd(fd: process.pidfd.raw, events: Int16(POLLIN), revents: 0),
            ]
            while true {
                if watched[1].revents == 0 {
                    let count = poll(&watched, 2, -1)
                    if count == -1, errno == EINTR { continue }
                    guard count > 0 else { return }
                }
                guard let count = try state.withLock({ $0.isTakenOver ? 0 : try read(into: buffer) }) else {
                    // After the program's end it takes what is there and waits for no more, because a program in the
                    // background may have the other end open for ever.
                    if watched[1].revents != 0 { break }
                    continue
                }
                guard count > 0 else { break }
                try client(stream, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            let rest = state.withLock { state in
                defer { state.rest = [] }
                return state.rest
            }
            if !rest.isEmpty { try rest.withUnsafeBytes { try client(stream, $0) } }
        } catch {}
    }

    /// Called after the program's end: its output is in the log when this returns, whatever the client does.
    func takeOver() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { buffer.deallocate() }
        state.withLock { state in
            guard !state.isDone else { return }
            state.isTakenOver = true
            while state.rest.count < OutputChannel.mostLeft, let count = try? read(into: buffer), count > 0 {
                state.rest.append(contentsOf: buffer[..<count])
            }
        }
    }

    /// A descriptor that becomes readable once everything has gone to the client. nil where it has already.
    func end() -> OwnedFD? {
        state.withLock { state in
            guard !state.isDone, let pipe = try? Pipe() else { return nil }
            state.end = try? pipe.write.duplicate()
            return pipe.takeReadEnd()
        }
    }

    private func finish() {
        state.withLock { state in
            state.isDone = true
            state.pipe = nil
            state.end = nil
        }
    }

    /// Called under the lock; never waits. Returns bytes read; 0 at the end, nil while there are none.
    private func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int? {
        let count: Int
        do throws(Errno) {
            count = try Errno.retrying { Glibc.read(source, buffer.baseAddress, buffer.count) }
        } catch {
            // At the end of a terminal read(2) fails with EIO.
            return error == .wouldBlock ? nil : 0
        }
        guard count > 0 else { return 0 }
        try log(stream, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return count
    }
}
