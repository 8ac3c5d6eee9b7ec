import Linux

import CLinux
import Glibc
import Synchronization
import SystemPackage

/// Stands between a program in a container and whoever started it: copies streams, forwards signals and
/// window sizes, and waits for the end.
package struct Relay: ~Copyable {
    package enum Stream: String, Sendable {
        case output = "stdout"
        case error = "stderr"
    }

    /// Gets everything the program writes, in order per stream, from one thread a stream. When it throws,
    /// the stream is closed, and the program notices (SIGPIPE).
    package typealias Sink = @Sendable (Stream, UnsafeRawBufferPointer) throws -> Void

    private static let forwarded: [Int32] = [
        SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGCONT, SIGIO, SIGPWR,
        SIGXCPU,
    ]
    private static let mask = forwarded.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }

    private let signals: OwnedFD

    /// Takes this thread's signals: do it before the program starts, so that none is lost in between.
    package init() throws {
        signal(SIGPIPE, SIG_IGN)
        let fd = clinux_take_signals(Relay.mask)
        guard fd >= 0 else { throw Failure("take signals", Errno(rawValue: -fd)) }
        signals = OwnedFD(adopting: fd)
    }

    deinit { clinux_release_signals(Relay.mask) }

    /// Returns when the program has ended and everything it wrote has been handed on. `input`: a descriptor
    /// whose bytes become its standard input, -1 for none; it stays open. `terminal`: one that is raw meanwhile.
    package func run(
        _ process: ContainerProcess,
        _ streams: ProcessStreams,
        input: CInt = -1,
        terminal: CInt = -1,
        sink: @escaping Sink
    ) throws -> ExitStatus {
        let raw = terminal >= 0 ? try? HostTerminal(raw: terminal) : nil
        if input >= 0 { feed(process, streams, from: input) }
        let threads = drain(process, streams, into: sink)
        try forward(until: process)
        let status = try naming("wait for process \(process.pid)") { try process.wait() }
        for thread in threads { thread.join() }
        _ = consume raw
        return status
    }

    private func forward(until process: ContainerProcess) throws {
        var watched = [
            pollfd(fd: process.pidfd.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0),
        ]
        while watched[0].revents == 0 {
            try naming("poll") { _ = try Errno.retrying { poll(&watched, 2, -1) } }
            guard watched[1].revents != 0 else { continue }
            let signal = clinux_next_signal(signals.raw)
            if signal == SIGWINCH, let terminal = process.terminalFD {
                if let size = HostTerminal.size { _ = clinux_set_window(terminal, size.rows, size.columns) }
            } else if signal > 0 {
                try? process.send(Signal(rawValue: signal))
            }
        }
    }

    /// Not joined: it may wait for a key for ever.
    private func feed(_ process: ContainerProcess, _ streams: ProcessStreams, from source: CInt) {
        let pipe = Handle(streams.takeInput())
        CopyThread {
            if let terminal = process.terminalFD {
                CopyThread.copy(from: source) { try Relay.write($0, to: terminal) }
            } else if let input = pipe.take() {
                CopyThread.copy(from: source) { try input.writeAll($0) }
            }
        }.detach()
    }

    private func drain(
        _ process: ContainerProcess,
        _ streams: ProcessStreams,
        into sink: @escaping Sink
    ) -> [CopyThread] {
        if let terminal = process.terminalFD {
            // At the end of a terminal read(2) says EIO, which is as good.
            return [
                CopyThread {
                    CopyThread.copy(from: terminal, until: process.pidfd.raw) { try sink(.output, $0) }
                }
            ]
        }
        let pipes = [(Stream.output, Handle(streams.takeOutput())), (.error, Handle(streams.takeError()))]
        return pipes.map { stream, handle in
            CopyThread {
                guard let pipe = handle.take() else { return }
                CopyThread.copy(from: pipe.raw, until: process.pidfd.raw) { try sink(stream, $0) }
            }
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to fd: CInt) throws(Errno) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            rest = rest.dropFirst(try Errno.retrying { Glibc.write(fd, piece.baseAddress, piece.count) })
        }
    }
}

/// Carries a descriptor into a thread, which owns it from there.
private final class Handle: Sendable {
    private let fd: Mutex<OwnedFD?>
    init(_ fd: consuming OwnedFD?) { self.fd = Mutex(fd) }
    func take() -> OwnedFD? { fd.withLock { $0.take() } }
}
