import Linux
import Runner
import SystemPackage

import CLinux
import Glibc
import Synchronization

/// The socket of a running container, and its clients: the process that started it, and those that have attached.
/// Every client gets the program's output, in the order of each stream; every client may send input.
///
/// A client that does not read stalls the program, as any reader does, but never the end of the container or of others.
final class Monitor: Sendable {
    private struct State {
        var listener: OpenFile?
        var clients: [Int: MonitorPeer] = [:]
        var next = 1
        /// The streams that the starter can no longer pass on.
        var closed: Set<StdioProxy.Stream> = []
        var process: ContainerProcess?
        var input: OpenFile?
    }
    static let name = "monitor"

    /// The number of the client that started the container.
    private static let starter = 0

    private let state = Mutex(State())
    /// The pipe with the starter's input.
    private let source: OpenFile?

    /// `client`: the socket of the process that started this one; nil: none. `input`: a pipe with its input, whose
    /// end the program sees, too.
    init(startedBy client: OpenFile? = nil, input: OpenFile? = nil) {
        source = input
        state.withLock { $0.clients[Monitor.starter] = client.map(MonitorPeer.init) }
    }

    /// `directory`: the container's, whose lock the caller holds, so an existing socket of that name is a leftover.
    func listen(in directory: FilePath) throws {
        let listener: OpenFile = try naming("listen at \(directory.appending(Monitor.name))") {
            try directory.appending(Monitor.name).unlink()
            let raw = try OwnedFD.open(directory, O_PATH | O_DIRECTORY).use {
                clinux_listen($0, Monitor.name)
            }
            guard raw >= 0 else { throw Errno(rawValue: -raw) }
            return OpenFile(OwnedFD(adopting: raw))
        }
        state.withLock { $0.listener = listener }
    }

    /// Accepts clients from now on.
    func serve(_ process: ContainerProcess, _ streams: ProcessStreams) throws {
        var input: OpenFile?
        if let pipe = streams.takeInput() { input = OpenFile(pipe) }
        let given = input
        let listener = state.withLock { state in
            state.process = process
            state.input = given
            return state.listener
        }
        if let starter = state.withLock({ $0.clients[Monitor.starter] }) {
            listen(to: starter.socket, Monitor.starter)
        }
        if let source {
            CopyThread { [self] in
                CopyThread.copy(from: source.fd.raw) { try give($0) }
                state.withLock { $0.input = nil }
            }.detach()
        }
        guard let listener else { return }
        try WorkerThread { [self] in
            while true {
                let raw = clinux_accept(listener.fd.raw)
                guard raw >= 0 else { return }
                welcome(OpenFile(OwnedFD(adopting: raw)))
            }
        }.detach()
    }

    /// Called before the container's lock is released: no more clients are accepted.
    func close(in directory: FilePath) {
        let listener = state.withLock { state in
            defer { state.listener = nil }
            return state.listener
        }
        guard let listener else { return }
        try? directory.appending(Monitor.name).unlink()
        shutdown(listener.fd.raw, Int32(SHUT_RDWR))
    }

    /// Called when the program runs.
    func started() { send(.running, []) }

    /// Called when the container could not be started.
    func fail(_ failure: Failure) { send(.failed, Array("\(failure.exitCode) \(failure)".utf8)) }

    /// Called after everything that the program wrote. A client without this message sees the socket end.
    func end(_ status: ExitStatus) {
        send(.ended, withUnsafeBytes(of: status.rawValue.littleEndian) { Array($0) })
        let clients = state.withLock { state in
            defer { state.clients = [:] }
            state.input = nil
            return state.clients.values
        }
        for client in clients { client.finish() }
    }

    /// The sink of the container's stdio proxy. EPIPE once the starter can't pass the stream on.
    func pass(_ stream: StdioProxy.Stream, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        send(stream == .output ? .output : .error, bytes)
        guard state.withLock({ !$0.closed.contains(stream) }) else { throw .brokenPipe }
    }

    private func send(_ kind: MonitorMessage.Kind, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { send(kind, $0) }
    }

    private func send(_ kind: MonitorMessage.Kind, _ bytes: UnsafeRawBufferPointer) {
        let (clients, process) = state.withLock { ($0.clients, $0.process) }
        for (number, client) in clients {
            do throws(Errno) {
                try client.send(kind, bytes, until: process?.pidfd.raw)
            } catch {
                state.withLock { _ = $0.clients.removeValue(forKey: number) }
            }
        }
    }

    private func welcome(_ client: OpenFile) {
        let number = state.withLock { state in
            state.next += 1
            state.clients[state.next] = MonitorPeer(client)
            return state.next
        }
        listen(to: client, number)
    }

    private func listen(to client: OpenFile, _ number: Int) {
        let thread = try? WorkerThread { [self] in
            while let message = try? MonitorMessage.next(from: client.fd) { take(message, from: number) }
            state.withLock { _ = $0.clients.removeValue(forKey: number) }
        }
        thread?.detach()
    }

    private func take(_ message: MonitorMessage, from number: Int) {
        switch message.kind {
        case .window:
            guard let window = message.window, let terminal = state.withLock({ $0.process?.terminalFD })
            else { return }
            _ = clinux_set_window(terminal, window.rows, window.columns)
        case .input:
            // Input is lost when the program has closed its end, as in a pipe.
            try? message.bytes.withUnsafeBytes { try give($0) }
        case .closed:
            guard number == Monitor.starter else { return }
            let stream: StdioProxy.Stream =
                message.bytes == [MonitorMessage.Kind.error.rawValue] ? .error : .output
            state.withLock { _ = $0.closed.insert(stream) }
        case .run, .output, .error, .ended, .running, .failed: break
        }
    }

    /// Writes to the program's standard input. EPIPE if that is closed.
    private func give(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        let (process, input) = state.withLock { ($0.process, $0.input) }
        if let terminal = process?.terminalFD { return try InheritedFD(terminal).writeAll(bytes) }
        guard let input else { throw .brokenPipe }
        try input.fd.writeAll(bytes)
    }
}
