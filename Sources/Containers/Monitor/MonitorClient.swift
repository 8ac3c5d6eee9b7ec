import Linux
import Runner
import Snapshots
import SystemPackage

import Glibc
import Synchronization

/// The client's end of a monitor's socket: passes on output, input, signals and the size of the terminal.
final class MonitorClient: Sendable {
    private struct State {
        var keys = DetachKeys()
        var isDetached = false
        var ended: ExitStatus?
    }
    private let state = Mutex(State())
    private let containers: Containers
    private let container: Container
    private let attachment: Containers.Attachment
    private let socket: OpenFile
    /// Whether this process started the container. Then the program gets SIGPIPE when its output can't be passed on,
    /// and is killed when it is asked to end three times. Other clients only leave.
    private let started: Bool

    init(
        _ containers: Containers,
        _ container: Container,
        _ attachment: Containers.Attachment,
        socket: OpenFile,
        started: Bool
    ) {
        (self.containers, self.container, self.attachment) = (containers, container, attachment)
        (self.socket, self.started) = (socket, started)
    }

    func sendWindow() {
        guard let size = HostTerminal.size else { return }
        try? MonitorMessage.send(size, to: socket.fd)
    }

    /// Copies the attachment's input to `pipe`, whose end the program sees, or, without one, to the socket.
    private func feed(_ proxy: borrowing StdioProxy, _ pipe: OpenFile?) {
        let isTerminal = attachment.terminal >= 0
        proxy.read(attachment.input) { [self] bytes in
            guard isTerminal else { return try give(bytes, pipe) }
            let (rest, isDetaching) = state.withLock { state in
                let found = state.keys.pass(bytes)
                if found.isDetaching { state.isDetached = true }
                return found
            }
            if !rest.isEmpty { try rest.withUnsafeBytes { try give($0, pipe) } }
            guard isDetaching else { return }
            shutdown(socket.fd.raw, Int32(SHUT_RDWR))
            throw Errno.canceled
        }
    }

    private func give(_ bytes: UnsafeRawBufferPointer, _ pipe: OpenFile?) throws(Errno) {
        if let pipe {
            try pipe.fd.writeAll(bytes)
        } else {
            try MonitorMessage.send(.input, bytes, to: socket.fd)
        }
    }

    /// Returns when the container ends, or when this client leaves: by Ctrl-P Ctrl-Q, because its output can't be
    /// passed on, or by a signal that asks to end while output of the ended program still waits for a reader.
    ///
    /// `input`: gives the pipe for the attachment's input; nil: that goes to the socket.
    func follow(_ proxy: borrowing StdioProxy, input: () -> OpenFile? = { nil }) throws
        -> Containers.Attached
    {
        // Output is copied by its own thread: while that waits for a reader, signals still reach the program.
        let pipe = try Pipe()
        let end = OpenFile(try pipe.write.duplicate())
        let reading = try pipe.read.duplicate()
        _ = consume pipe
        let thread = try WorkerThread { [self] in
            receive()
            shutdown(socket.fd.raw, Int32(SHUT_RDWR))
            try? end.fd.writeAll([0])
        }
        thread.detach()
        var impatience = Impatience()
        var last: Signal?
        try proxy.watch(reading.raw, terminal: attachment.terminal) {
            if attachment.input >= 0 { feed(proxy, input()) }
        } ready: {
            false
        } signalled: { signal in
            if signal.rawValue == SIGWINCH {
                if attachment.terminal >= 0 { sendWindow() }
                return true
            }
            if signal.rawValue == SIGHUP, attachment.terminal >= 0 {
                // The client's terminal is gone; the program's is not.
                state.withLock { $0.isDetached = true }
                return false
            }
            do {
                try containers.kill(container, with: signal)
                guard impatience.isEnough(with: signal.rawValue) else { return true }
                if started {
                    try containers.kill(container, with: .kill)
                    return true
                }
                state.withLock { $0.isDetached = true }
                return false
            } catch {
                // The program has ended.
                last = signal
                return !StdioProxy.ending.contains(signal.rawValue)
            }
        }
        reading.stay()
        let (status, isDetached) = state.withLock { ($0.ended, $0.isDetached) }
        if let status { return .ended(status) }
        if isDetached { return .detached }
        if let last {
            guard case .exited(let code?, _) = containers.status(of: container) else {
                return .ended(.killed(by: last.rawValue))
            }
            return .ended(ExitStatus(rawValue: code))
        }
        throw Failure(
            "what ran container \(container.record.name) was killed",
            exitCode: ExitStatus.failed.rawValue
        )
    }

    private func receive() {
        var closed: Set<StdioProxy.Stream> = []
        while let message = try? MonitorMessage.next(from: socket.fd) {
            switch message.kind {
            case .output, .error:
                let stream: StdioProxy.Stream = message.kind == .output ? .output : .error
                guard !closed.contains(stream) else { continue }
                do {
                    try message.bytes.withUnsafeBytes { try attachment.sink(stream, $0) }
                } catch {
                    guard started else { return state.withLock { $0.isDetached = true } }
                    closed.insert(stream)
                    try? MonitorMessage.send(.closed, [message.kind.rawValue], to: socket.fd)
                }
            case .ended: return state.withLock { $0.ended = message.status }
            case .input, .window, .run, .closed, .running, .failed: break
            }
        }
    }
}
