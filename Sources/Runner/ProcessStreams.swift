package import Linux
package import SystemPackage

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

    /// The program's, passed on at the start and then closed here.
    private struct Theirs: ~Copyable, Sendable {
        var input: OwnedFD?
        var output: OwnedFD?
        var error: OwnedFD?
    }
    /// To write its input, to read its output and errors.
    private struct Ours: ~Copyable, Sendable {
        var input: OwnedFD?
        var output: OwnedFD?
        var error: OwnedFD?
    }
    private let theirs: Mutex<Theirs>
    private let ours: Mutex<Ours>

    /// A terminal of the container's, whose master the started process has.
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

    /// /dev/null, all of them.
    package init() throws(Errno) {
        let null = try OwnedFD.open("/dev/null", O_RDWR)
        ours = Mutex(Ours())
        theirs = Mutex(
            Theirs(input: try null.duplicate(), output: try null.duplicate(), error: try null.duplicate())
        )
        terminal = nil
    }

    // duplicate() gives descriptors above 2, even where we were started without standard streams.

    /// What the program gets as 0, 1 and 2; -1: nothing.
    var standard: [CInt] { theirs.withLock { [$0.input.raw, $0.output.raw, $0.error.raw] } }

    /// nil where there is to be no terminal.
    let terminal: WindowSize?

    /// The program has its ends. While we had them too, their other ends would never see an end.
    func closeTheirs() { theirs.withLock { $0 = Theirs() } }

    /// Our end of its input, where it has one that is no terminal, and nobody took it.
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
