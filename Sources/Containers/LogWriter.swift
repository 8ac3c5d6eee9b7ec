package import Runner
package import SystemPackage

import Glibc
import Linux
import Synchronization

/// Writes a container's output to its log, byte for byte (`LogFormat`), and removes the oldest file beyond the
/// limit. The first file is created with the first byte. Thread-safe.
///
/// A log that can't be written (a full disk) loses output; the container runs on.
package final class LogWriter: Sendable {
    private struct State: ~Copyable {
        var file: OwnedFD?
        /// The number of `file`, or of the next one.
        var number = 0
        var size = 0
        /// The record about to be written: a buffer that is reused.
        var bytes: [UInt8] = []
    }
    private let directory: FilePath
    private let limits: LogLimits
    private let longest: Int
    private let state: Mutex<State>

    /// `directory`: the container's. `last`: the state after its last run; nil for its first. The log is continued,
    /// in a new file where it is not known how the last one ends.
    package init(_ directory: FilePath, _ limits: LogLimits = .standard, behind last: ContainerState? = nil) {
        self.directory = directory
        self.limits = limits
        longest = max(1, min(LogFormat.longest, limits.size - LogFormat.header - LogFormat.recordHeader))
        var state = State()
        if let last, let number = LogFormat.numbers(in: directory).last {
            state.number = number
            let path = LogFormat.path(of: number, in: directory)
            if last.exitCode != nil, let file = try? OwnedFD.open(path, O_WRONLY),
                case let size = lseek(file.raw, 0, SEEK_END), size > 0
            {
                state.size = size
                state.file = consume file
            } else {
                LogWriter.next(&state, directory, limits)
            }
        }
        self.state = Mutex(state)
    }

    package func append(_ stream: StdioProxy.Stream, _ bytes: UnsafeRawBufferPointer) {
        let time = UnixTime.now
        state.withLock { state in
            var rest = bytes
            while !rest.isEmpty {
                let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(longest))
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(longest))
                state.bytes.removeAll(keepingCapacity: true)
                let size = LogFormat.recordHeader + piece.count
                if state.size > 0, state.size + size > limits.size {
                    LogWriter.next(&state, directory, limits)
                }
                if state.size == 0 { LogFormat.appendHeader(to: &state.bytes) }
                LogFormat.append(piece, stream, at: time, to: &state.bytes)
                write(&state)
            }
        }
    }

    private static func next(_ state: inout State, _ directory: FilePath, _ limits: LogLimits) {
        state.file = nil
        state.size = 0
        state.number += 1
        let oldest = state.number - limits.files
        if oldest >= 0 { try? LogFormat.path(of: oldest, in: directory).unlink() }
    }

    private func write(_ state: inout State) {
        if state.size == 0 {
            let path = LogFormat.path(of: state.number, in: directory)
            state.file = try? OwnedFD.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        }
        var isLost = false
        switch state.file {
        case .some(let file):
            do {
                try file.writeAll(state.bytes)
                state.size += state.bytes.count
            } catch {
                // A partial record would hide what comes after it.
                isLost = (try? file.truncate(to: UInt64(state.size))) == nil
                if !isLost { _ = lseek(file.raw, state.size, SEEK_SET) }
            }
        case .none: break
        }
        if isLost { LogWriter.next(&state, directory, limits) }
    }
}
