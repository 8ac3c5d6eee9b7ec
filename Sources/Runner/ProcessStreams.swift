package import Linux
package import SystemPackage

import Glibc
import Synchronization

/// The standard streams of a program that is about to start, and this process's ends of them.
package final class ProcessStreams: Sendable {
    /// The size of a terminal in characters; 0 where it is unknown.
    package struct WindowSize: Sendable, Equatable {
        package var rows: UInt16
        package var columns: UInt16
        package init(rows: UInt16, columns: UInt16) {
            self.rows = rows
            self.columns = columns
        }
    }

    /// The program's ends, which are passed on at the start and then closed here.
    private struct Theirs: ~Copyable, Sendable {
        var input: OwnedFD?
        var output: OwnedFD?
        var error: OwnedFD?
    }
    /// The ends to write its input, and to read its output and errors.
    private struct Ours: ~Copyable, Sendable {
        var input: OwnedFD?
        var output: OwnedFD?
        var error: OwnedFD?
    }
    private let theirs: Mutex<Theirs>
    private let ours: Mutex<Ours>

    /// A terminal of the container, whose master the started process has.
    package init(terminal size: WindowSize) {
        ours = Mutex(Ours())
        theirs = Mutex(Theirs())
        terminal = size
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
        terminal = nil
    }

    /// /dev/null for all streams.
    package init() throws(Errno) {
        let null = try OwnedFD.open("/dev/null", O_RDWR)
        ours = Mutex(Ours())
        theirs = Mutex(
            Theirs(input: try null.duplicate(), output: try null.duplicate(), error: try null.duplicate())
        )
        terminal = nil
    }

    // duplicate() returns descriptors above 2, even if this process was started without standard streams.

    /// The descriptors for the program's 0, 1 and 2; -1: none.
    var standard: [CInt] { theirs.withLock { [$0.input.raw, $0.output.raw, $0.error.raw] } }

    /// nil where there is no terminal.
    let terminal: WindowSize?

    /// Closes the program's ends once it has them: as long as this process has them open too, their other ends never
    /// see an end.
    func closeTheirs() { theirs.withLock { $0 = Theirs() } }

    /// This process's end of the program's input, unless that is a terminal or was taken already.
    package func takeInput() -> OwnedFD? { ours.withLock { $0.input.take() } }
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
