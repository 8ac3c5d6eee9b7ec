import Linux
import SystemPackage

import Glibc

/// Standard output for lines that are bytes, as names of files are: as they are for programs, escaped for people, as
/// ls(1) does it. Nothing else may print meanwhile.
final class ByteOutput {
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var buffer: [UInt8] = []

    /// `bytes` and a newline.
    func line(_ bytes: [UInt8]) throws {
        buffer += isTerminal ? Printable.bytes(bytes) : bytes
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= 1 << 16 { try flush() }
    }

    func flush() throws {
        var done = 0
        while done < buffer.count {
            let count = buffer[done...].withUnsafeBytes {
                Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
            }
            if count == -1, Errno.last == .interrupted { continue }
            guard count > 0 else { throw Failure("write to standard output", .last) }
            done += count
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
