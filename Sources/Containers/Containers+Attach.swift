import Snapshots
import Linux
package import Runner
import SystemPackage

import CLinux
import Glibc
import Synchronization

extension Containers {
    package enum Attached: Sendable, Equatable {
        case ended(ExitStatus)
        /// By Ctrl-P Ctrl-Q, or because its output could not be passed on: the container keeps running.
        case detached
    }

    /// Connects the caller's streams to a container that runs in the background, until it ends or the user detaches:
    /// output from now on, input, signals and the size of the terminal. The container outlives this process.
    package func attach(to container: Container, _ attachment: Attachment) throws -> Attached {
        let name = container.record.name
        guard case .running = status(of: container) else {
            throw Failure(
                "container \(name) \(status(of: container).phase.description)",
                advice: "mica start -a \(name) starts one that is not; mica unpause \(name) lets one go on.",
                kind: .failedPrecondition
            )
        }
        HostTerminal.comeForward(attachment.terminal)
        let relay = try Relay()
        let socket = OpenFile(try connect(to: container))
        let detaching = Detaching(socket)
        if attachment.terminal >= 0 { Containers.sendWindow(to: socket) }
        if attachment.input >= 0 {
            relay.read(attachment.input) { bytes in
                if attachment.terminal >= 0 {
                    try detaching.pass(bytes)
                } else {
                    try MonitorMessage.send(.input, bytes, to: socket.fd)
                }
            }
        }
        var status: ExitStatus?
        var isCut = false
        try relay.watch(socket.fd.raw, terminal: attachment.terminal) {
            guard let message = try? MonitorMessage.next(from: socket.fd) else { return false }
            switch message.kind {
            case .output, .error:
                let stream: Relay.Stream = message.kind == .output ? .output : .error
                isCut = (try? message.bytes.withUnsafeBytes { try attachment.sink(stream, $0) }) == nil
                return !isCut
            case .ended:
                guard message.bytes.count == 4 else { return false }
                let code = message.bytes.enumerated().reduce(Int32(0)) {
                    $0 | Int32($1.element) << (8 * Int32($1.offset))
                }
                status = ExitStatus(rawValue: code)
                return false
            case .input, .window: break
            }
            return true
        } signalled: { signal in
            if signal.rawValue == SIGWINCH, attachment.terminal >= 0 {
                Containers.sendWindow(to: socket)
            } else {
                try? kill(container, with: signal)
            }
        }
        if let status { return .ended(status) }
        if detaching.isDone || isCut { return .detached }
        throw Failure("what ran container \(name) was killed", exitCode: ExitStatus.failed.rawValue)
    }

    private func connect(to container: Container) throws -> OwnedFD {
        let directory = try naming("open \(container.files.directory)") {
            try OwnedFD.open(container.files.directory, O_PATH | O_DIRECTORY)
        }
        let raw = directory.use { clinux_connect($0, Monitor.name) }
        switch raw {
        case 0...: return OwnedFD(adopting: raw)
        case -ENOENT, -ECONNREFUSED:
            throw Failure(
                "container \(container.record.name) runs in somebody's foreground, not by itself",
                advice:
                    "mica logs -f shows what it writes; mica run -d and mica start make some that can be attached to.",
                kind: .failedPrecondition,
                exitCode: ExitStatus.failed.rawValue
            )
        default: throw Failure("attach to container \(container.record.name)", Errno(rawValue: -raw))
        }
    }

    private static func sendWindow(to socket: OpenFile) {
        guard let size = HostTerminal.size else { return }
        let bytes = [size.rows, size.columns].flatMap {
            [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)]
        }
        bytes.withUnsafeBytes { try? MonitorMessage.send(.window, $0, to: socket.fd) }
    }
}

/// Looks for the detach keys in the input on its way to the container.
private final class Detaching: Sendable {
    private let keys = Mutex((finder: DetachKeys(), isDone: false))
    private let socket: OpenFile

    init(_ socket: OpenFile) { self.socket = socket }

    var isDone: Bool { keys.withLock { $0.isDone } }

    func pass(_ bytes: UnsafeRawBufferPointer) throws {
        let (rest, isDetaching) = keys.withLock { keys in
            let found = keys.finder.pass(bytes)
            if found.isDetaching { keys.isDone = true }
            return found
        }
        if !rest.isEmpty { try rest.withUnsafeBytes { try MonitorMessage.send(.input, $0, to: socket.fd) } }
        guard isDetaching else { return }
        shutdown(socket.fd.raw, Int32(SHUT_RDWR))
        throw Errno.canceled
    }
}
