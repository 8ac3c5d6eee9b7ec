import Linux
package import SystemPackage

import CLinux
import Glibc
import Synchronization

/// The standard streams of a program that is about to start, and our ends of them.
package final class ProcessStreams: Sendable {
    /// Of a terminal, in characters; 0 where nobody knows.
    package struct WindowSize: Sendable, Equatable {
        package var rows: UInt16
        package var columns: UInt16
        package init(rows: UInt16, columns: UInt16) {
            self.rows = rows
            self.columns = columns
        }
    }

    /// The program's, passed on at the start and then closed here: while we held them, their other ends
    /// would never see an end.
    private struct Theirs: ~Copyable, Sendable {
        var input: OwnedFD?
        var output: OwnedFD?
        var error: OwnedFD?
        var socket: OwnedFD?
    }
    /// To write its input, to read its output and errors, to receive its terminal.
    private struct Ours: ~Copyable, Sendable {
        var input: OwnedFD?
        var output: OwnedFD?
        var error: OwnedFD?
        var socket: OwnedFD?
    }
    private let theirs: Mutex<Theirs>
    private let ours: Mutex<Ours>
    private let size: WindowSize

    /// A terminal of the container's, whose master the started process has.
    package init(terminal size: WindowSize) throws(Errno) {
        var ends: [CInt] = [-1, -1]
        let result = clinux_socketpair(&ends)
        guard result == 0 else { throw Errno(rawValue: -result) }
        ours = Mutex(Ours(socket: OwnedFD(adopting: ends[0])))
        theirs = Mutex(Theirs(socket: OwnedFD(adopting: ends[1])))
        self.size = size
    }

    /// Pipes. Without `interactive` the program reads from /dev/null.
    package init(interactive: Bool) throws(Errno) {
        let output = try Pipe()
        let error = try Pipe()
        var our = Ours(output: try output.read.duplicate(), error: try error.read.duplicate())
        var their = Theirs(output: try output.write.duplicate(), error: try error.write.duplicate())
        if interactive {
            let input = try Pipe()
            our.input = try input.write.duplicate()
            their.input = try input.read.duplicate()
        } else {
            their.input = try OwnedFD.open("/dev/null", O_RDONLY).duplicate()
        }
        ours = Mutex(our)
        theirs = Mutex(their)
        size = WindowSize(rows: 0, columns: 0)
    }

    /// /dev/null, all of them.
    package init() throws(Errno) {
        let null = try OwnedFD.open("/dev/null", O_RDWR)
        ours = Mutex(Ours())
        theirs = Mutex(
            Theirs(input: try null.duplicate(), output: try null.duplicate(), error: try null.duplicate())
        )
        size = WindowSize(rows: 0, columns: 0)
    }

    // duplicate() gives descriptors above 2, even where we were started without standard streams.

    func give(to plan: inout clinux_process) {
        let (input, output, error, socket) = theirs.withLock {
            ($0.input.raw, $0.output.raw, $0.error.raw, $0.socket.raw)
        }
        plan.stdio = (input, output, error)
        plan.terminal_socket = socket
        plan.rows = size.rows
        plan.columns = size.columns
    }

    /// After the start, or its failure.
    func receiveTerminal() throws -> OwnedFD? {
        theirs.withLock { $0 = Theirs() }
        let socket = ours.withLock { $0.socket.take() }
        guard let socket else { return nil }
        let master = clinux_receive_fd(socket.raw)
        guard master >= 0 else { throw Failure("receive the container's terminal", Errno(rawValue: -master)) }
        return OwnedFD(adopting: master)
    }

    func takeInput() -> OwnedFD? { ours.withLock { $0.input.take() } }
    func takeOutput() -> OwnedFD? { ours.withLock { $0.output.take() } }
    func takeError() -> OwnedFD? { ours.withLock { $0.error.take() } }
}

extension OwnedFD? {
    /// -1 for none.
    fileprivate var raw: CInt {
        switch self {
        case .some(let fd): fd.raw
        case .none: -1
        }
    }
}
