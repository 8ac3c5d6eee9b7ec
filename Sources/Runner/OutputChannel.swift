import Linux
import SystemPackage

import CLinux
import Glibc
import Synchronization

/// One stream of a program's, on its way to the log and then to the client.
///
/// A client that does not read holds up the thread that copies, and through it the program, but never the end: once
/// the program is gone, `takeOver` brings what is left to the log, and to this thread for when the client goes on.
final class OutputChannel: Sendable {
    private struct State: ~Copyable {
        /// What to read from, where it is this object's.
        var pipe: OwnedFD?
        var isTakenOver = false
        var isDone = false
        /// Logged, and still to be handed on.
        var rest: [UInt8] = []
        /// Closed at the end, for whoever waits for it.
        var end: OwnedFD?
    }

    /// No pipe holds more (/proc/sys/fs/pipe-max-size); a program in the background may write for ever.
    private static let mostLeft = 1 << 20

    private let state: Mutex<State>
    private let source: CInt
    private let process: ContainerProcess
    private let stream: Relay.Stream
    private let log: Relay.Sink
    private let client: Relay.Sink

    /// Of what is read from `source`, which is `pipe` or the terminal of `process`.
    init(
        _ source: CInt,
        owning pipe: consuming OwnedFD? = nil,
        of process: ContainerProcess,
        _ stream: Relay.Stream,
        log: @escaping Relay.Sink,
        client: @escaping Relay.Sink
    ) {
        state = Mutex(State(pipe: pipe))
        (self.source, self.process, self.stream, self.log, self.client) = (
            source, process, stream, log, client
        )
        // From the beginning: what poll(2) has seen may be gone when it is to be read. Whoever is in the container can
        // open the other end anew, and take it. Our end's flags are ours alone.
        _ = fcntl(source, F_SETFL, O_NONBLOCK)
    }

    /// Copies until the stream ends, `takeOver` or the client's end; the latter closes the stream, which the program
    /// notices. For a thread of its own.
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
                    // After the program's end it takes what is there and waits for no more: one in the background may
                    // have the other end for ever.
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

    /// After the program's end: what it has written is in the log when this returns, whatever the client does.
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

    /// Something to poll: readable once everything has been handed on. nil where it has been.
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

    /// Under the lock, and never waiting. Bytes; 0 at the end, nil while there is nothing.
    private func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int? {
        let count: Int
        do throws(Errno) {
            count = try Errno.retrying { Glibc.read(source, buffer.baseAddress, buffer.count) }
        } catch {
            // At the end of a terminal read(2) says EIO, which is as good.
            return error == .wouldBlock ? nil : 0
        }
        guard count > 0 else { return 0 }
        try log(stream, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return count
    }
}
