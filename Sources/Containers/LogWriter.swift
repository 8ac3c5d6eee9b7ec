package import Runner
package import SystemPackage

import Glibc
import Linux
import Synchronization

/// Writes what a container says to its log: one JSON object a line, `{"log","stream","time"}`, as docker's
/// json-file does. Created with the first byte. Thread-safe.
///
/// A log that can't be written (a full disk) costs its lines, not the container's life.
package final class LogWriter: Sendable {
    /// A line that is longer becomes several, as docker has it: only the last one ends in "\n".
    static let longest = 16384

    private struct State: ~Copyable {
        var file: OwnedFD?
        var output: [UInt8] = []
        var error: [UInt8] = []
    }
    private let path: FilePath
    private let state = Mutex(State())

    package init(_ path: FilePath) { self.path = path }

    package func append(_ stream: Relay.Stream, _ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            switch stream {
            case .output: write(LogWriter.lines(&state.output, bytes), stream, &state.file)
            case .error: write(LogWriter.lines(&state.error, bytes), stream, &state.file)
            }
        }
    }

    /// Writes lines that have no end.
    package func finish() {
        state.withLock { state in
            write([state.output].filter { !$0.isEmpty }, .output, &state.file)
            write([state.error].filter { !$0.isEmpty }, .error, &state.file)
            state.output = []
            state.error = []
        }
    }

    /// Takes whole lines out of `rest` + `bytes`.
    private static func lines(_ rest: inout [UInt8], _ bytes: UnsafeRawBufferPointer) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let room = min(bytes.count, start + longest - rest.count)
            let end = bytes[start..<room].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? room
            rest.append(contentsOf: bytes[start..<end])
            start = end
            guard rest.last == UInt8(ascii: "\n") || rest.count >= longest else { break }
            lines.append(rest)
            rest.removeAll(keepingCapacity: true)
        }
        return lines
    }

    private func write(_ lines: [[UInt8]], _ stream: Relay.Stream, _ file: inout OwnedFD?) {
        guard !lines.isEmpty else { return }
        let time = LogTime.text(UnixTime.now)
        var text: [UInt8] = []
        for line in lines {
            text += "{\"log\":\"".utf8
            JSONText.append(line, to: &text)
            text += "\",\"stream\":\"\(stream.rawValue)\",\"time\":\"\(time)\"}\n".utf8
        }
        if file == nil { file = try? OwnedFD.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600) }
        switch file {
        case .some(let file): try? file.writeAll(text)
        case .none: break
        }
    }
}
