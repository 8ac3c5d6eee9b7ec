import Linux
import Runner
import SystemPackage

import CLinux
import Glibc
import Synchronization

/// The socket of a container that runs in the background, and the clients attached to it. Every client gets what the
/// program writes, in the order of each stream; every client may send input.
///
/// A client that does not read stalls the program, as any reader does, but never delays the end of the container.
final class Monitor: Sendable {
    private struct State {
        var listener: OpenFile?
        var clients: [Int: OpenFile] = [:]
        var next = 0
        var process: ContainerProcess?
        var input: OpenFile?
    }
    static let name = "monitor"

    private let state = Mutex(State())

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

    /// Called after everything that the program wrote. A client without this message sees the socket end.
    func end(_ status: ExitStatus) {
        let bytes = withUnsafeBytes(of: status.rawValue.littleEndian) { Array($0) }
        bytes.withUnsafeBytes { send(.ended, $0) }
        state.withLock { state in
            state.clients = [:]
            state.input = nil
        }
    }

    /// The sink of the container's relay.
    func pass(_ stream: Relay.Stream, _ bytes: UnsafeRawBufferPointer) {
        send(stream == .output ? .output : .error, bytes)
    }

    private func send(_ kind: MonitorMessage.Kind, _ bytes: UnsafeRawBufferPointer) {
        for (number, client) in state.withLock({ $0.clients }) {
            do throws(Errno) {
                try MonitorMessage.send(kind, bytes, to: client.fd)
            } catch {
                state.withLock { _ = $0.clients.removeValue(forKey: number) }
            }
        }
    }

    private func welcome(_ client: OpenFile) {
        let number = state.withLock { state in
            state.next += 1
            state.clients[state.next] = client
            return state.next
        }
        let thread = try? WorkerThread { [self] in
            while let message = try? MonitorMessage.next(from: client.fd) { take(message) }
            state.withLock { _ = $0.clients.removeValue(forKey: number) }
        }
        thread?.detach()
    }

    private func take(_ message: MonitorMessage) {
        let (process, input) = state.withLock { ($0.process, $0.input) }
        switch message.kind {
        case .window:
            guard message.bytes.count == 4, let terminal = process?.terminalFD else { return }
            let numbers = message.bytes.map { UInt16($0) }
            _ = clinux_set_window(terminal, numbers[0] | numbers[1] << 8, numbers[2] | numbers[3] << 8)
        case .input:
            // Input is lost when the program has closed its end, as in a pipe.
            if let terminal = process?.terminalFD {
                try? message.bytes.withUnsafeBytes { try InheritedFD(terminal).writeAll($0) }
            } else {
                try? input?.fd.writeAll(message.bytes)
            }
        case .output, .error, .ended: break
        }
    }
}
