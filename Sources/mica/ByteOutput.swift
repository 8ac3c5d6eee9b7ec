import Linux
import SystemPackage

import Glibc

/// Standard output for lines of bytes, such as file names: verbatim for programs, escaped on a terminal, as ls(1)
/// does it. Nothing else may print meanwhile.
final class ByteOutput {
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var buffer: [UInt8] = []

    /// Prints `bytes` and a newline.
    func line(_ bytes: [UInt8]) throws {
        buffer += isTerminal ? Printable.bytes(bytes) : bytes
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= 1 << 16 { try flush() }
    }

    func flush() throws {
        try naming("write to standard output") {
            try buffer.withUnsafeBytes { try InheritedFD(STDOUT_FILENO).writeAll($0) }
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
