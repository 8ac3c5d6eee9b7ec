import Linux
import SystemPackage

import Synchronization

/// The packing side of a copy, on its own thread: where it writes to until it has ended, and why it failed.
final class Packing: Sendable {
    private struct State {
        var writer: OpenFile?
        var failure: (any Error)?
    }
    private let state: Mutex<State>

    init(to writer: OpenFile) { state = Mutex(State(writer: writer)) }

    var failure: (any Error)? { state.withLock { $0.failure } }

    /// Closes the writer at the end, so that the reader sees end of file.
    func run(_ body: () throws -> Void) {
        do {
            try body()
        } catch Errno.brokenPipe {
            // The reader reports why it stopped.
        } catch {
            state.withLock { $0.failure = error }
        }
        state.withLock { $0.writer = nil }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard let writer = state.withLock({ $0.writer }) else { throw Errno.brokenPipe }
        try writer.fd.writeAll(bytes)
    }
}
