import Linux

import CLinux
import Glibc
import Synchronization
import SystemPackage

/// The stdio proxy between a program in a container and the process that started it: copies streams, forwards
/// signals and window sizes, and waits for the end.
package struct StdioProxy: ~Copyable {
    package enum Stream: String, Sendable {
        case output = "stdout"
        case error = "stderr"
    }

    /// Gets everything the program writes, in order for each stream, from one thread for each stream. When it
    /// throws, the stream is closed, and the program notices (SIGPIPE).
    package typealias Sink = @Sendable (Stream, UnsafeRawBufferPointer) throws -> Void

    private static let forwarded: [Int32] = [
        SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGCONT, SIGIO, SIGPWR,
        SIGXCPU,
    ]
    /// The signals that ask a process to end.
    package static let ending: [Int32] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]
    private static let mask = forwarded.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
    /// The signals that would stop this process when it touches the terminal from the background, and so delay the
    /// program's end.
    private static let held = UInt64(1) << UInt64(SIGTTIN) | 1 << UInt64(SIGTTOU)

    let signals: OwnedFD

    /// Takes this thread's signals. Call it before the program starts, so that none is lost in between, and after
    /// `HostTerminal.comeForward`.
    package init() throws {
        signal(SIGPIPE, SIG_IGN)
        let fd = clinux_take_signals(StdioProxy.mask)
        guard fd >= 0 else { throw Failure("take signals", Errno(rawValue: -fd)) }
        signals = OwnedFD(adopting: fd)
        clinux_block_signals(StdioProxy.held)
    }

    deinit { clinux_release_signals(StdioProxy.mask | StdioProxy.held) }

    /// A program that has ended, and the output that is still on its way to the client.
    package struct Ended: ~Copyable {
        package let status: ExitStatus
        fileprivate let copies: [Copy]
    }

    fileprivate struct Copy {
        let channel: OutputChannel
        let thread: CopyThread
    }

    /// Returns when the program has ended and all its output has been passed on. `input`: a descriptor whose bytes
    /// become its standard input, -1 for none; it stays open. `terminal`: one that is raw meanwhile.
    package func run(
        _ process: ContainerProcess,
        _ streams: ProcessStreams,
        input: CInt = -1,
        terminal: CInt = -1,
        sink: @escaping Sink
    ) throws -> ExitStatus {
        let ended = try follow(process, streams, input: input, terminal: terminal, client: sink)
        let status = ended.status
        deliver(ended)
        return status
    }

    /// The same up to the program's end: all its output has gone through `log`, which waits for no client; what
    /// `client` has not taken is left for `deliver`.
    package func follow(
        _ process: ContainerProcess,
        _ streams: ProcessStreams,
        input: CInt = -1,
        terminal: CInt = -1,
        log: @escaping Sink = { _, _ in },
        client: @escaping Sink
    ) throws -> Ended {
        var host = HostTerminal(terminal)
        host.makeRaw()
        if input >= 0 { feed(process, streams, from: input) }
        let copies = channels(process, streams, log, client).map { channel in
            Copy(channel: channel, thread: CopyThread { channel.copy() })
        }
        try forward(until: process, &host)
        let status = try naming("wait for process \(process.pid)") { try process.wait() }
        for copy in copies { copy.channel.takeOver() }
        _ = consume host
        return Ended(status: status, copies: copies)
    }

    /// Returns when the client has got everything, or a signal ends the wait.
    package func deliver(_ ended: consuming Ended) {
        for copy in ended.copies {
            if let end = copy.channel.end(), isToEnd(before: end) {
                copy.thread.detach()
            } else {
                copy.thread.join()
            }
        }
    }

    /// Whether a signal came that asks to end before `end` can be read.
    private func isToEnd(before end: consuming OwnedFD) -> Bool {
        var watched = [
            pollfd(fd: end.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0),
        ]
        defer { end.stay() }
        while true {
            guard (try? Errno.retrying { poll(&watched, 2, -1) }) != nil, watched[0].revents == 0 else {
                return false
            }
            if watched[1].revents != 0, StdioProxy.ending.contains(clinux_next_signal(signals.raw)) {
                return true
            }
        }
    }

    /// Forwards signals. A program that does not end when it is asked to three times is killed: at the third Ctrl-C
    /// the user wants the prompt back.
    private func forward(until process: ContainerProcess, _ host: inout HostTerminal) throws {
        var impatience = Impatience()
        var watched = [
            pollfd(fd: process.pidfd.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0),
        ]
        while watched[0].revents == 0 {
            try naming("poll") { _ = try Errno.retrying { poll(&watched, 2, -1) } }
            guard watched[1].revents != 0 else { continue }
            let signal = clinux_next_signal(signals.raw)
            if signal == SIGCONT { host.makeRaw() }
            if signal == SIGWINCH, let terminal = process.terminalFD {
                if let size = HostTerminal.size { _ = clinux_set_window(terminal, size.rows, size.columns) }
            } else if signal > 0 {
                try? process.send(Signal(rawValue: signal))
                if impatience.isEnough(with: signal) { try? process.send(.kill) }
            }
        }
    }

    /// Not joined, because it may wait for a key for ever.
    private func feed(_ process: ContainerProcess, _ streams: ProcessStreams, from source: CInt) {
        let pipe = Handle(streams.takeInput())
        CopyThread {
            if let terminal = process.terminalFD {
                CopyThread.copy(from: source) { try InheritedFD(terminal).writeAll($0) }
            } else if let input = pipe.take() {
                CopyThread.copy(from: source) { try input.writeAll($0) }
            }
        }.detach()
    }

    private func channels(
        _ process: ContainerProcess,
        _ streams: ProcessStreams,
        _ log: @escaping Sink,
        _ client: @escaping Sink
    ) -> [OutputChannel] {
        if let terminal = process.terminalFD {
            return [OutputChannel(terminal, of: process, .output, log: log, client: client)]
        }
        var channels: [OutputChannel] = []
        if let pipe = streams.takeOutput() {
            let raw = pipe.raw
            channels.append(
                OutputChannel(raw, owning: pipe, of: process, .output, log: log, client: client)
            )
        }
        if let pipe = streams.takeError() {
            let raw = pipe.raw
            channels.append(OutputChannel(raw, owning: pipe, of: process, .error, log: log, client: client))
        }
        return channels
    }
}

/// Passes a descriptor to a thread, which owns it from there.
private final class Handle: Sendable {
    private let fd: Mutex<OwnedFD?>
    init(_ fd: consuming OwnedFD?) { self.fd = Mutex(fd) }
    func take() -> OwnedFD? { fd.withLock { $0.take() } }
}
