import Linux
import SystemPackage

import CCodecs
import Glibc

/// Writes a layer's pack: small contents back to back, equal ones once.
final class PackWriter {
    private let fd: OwnedFD
    private var buffer: [UInt8] = []
    /// How many bytes of the pack were written, without those in `buffer`.
    private var written: UInt64 = 0
    /// By checksum and size: the offset of the last content that had them. Equality takes a comparison.
    private var known: [UInt64: UInt64] = [:]
    private var other: [UInt8] = []

    private static let bufferSize = 1 << 20
    /// How many contents are remembered: about 40 MB. Later duplicates are merely stored twice.
    private static let knownLimit = 1 << 20

    /// Takes `fd`, an empty file open for reading and writing.
    init(_ fd: consuming OwnedFD) {
        self.fd = fd
        buffer.reserveCapacity(Self.bufferSize)
    }

    /// Returns the content's offset.
    func add(_ content: UnsafeRawBufferPointer) throws -> UInt64 {
        let checksum = ccodecs_crc32c(0, content.baseAddress, content.count)
        let key = UInt64(checksum) << 32 | UInt64(UInt32(truncatingIfNeeded: content.count))
        if let offset = known[key], try isEqual(content, at: offset) { return offset }
        if buffer.count + content.count > Self.bufferSize { try flush() }
        let start = written + UInt64(buffer.count)
        buffer.append(contentsOf: content)
        if known.count < Self.knownLimit || known[key] != nil { known[key] = start }
        return start
    }

    /// Writes what is left. No content may follow.
    func finish() throws {
        try flush()
        known = [:]
        buffer = []
    }

    private func flush() throws {
        try naming("write a layer's pack") { try fd.writeAll(buffer) }
        written += UInt64(buffer.count)
        buffer.removeAll(keepingCapacity: true)
    }

    private func isEqual(_ content: UnsafeRawBufferPointer, at offset: UInt64) throws -> Bool {
        if offset >= written {
            let start = Int(offset - written)
            return buffer.withUnsafeBytes { isEqual(content, UnsafeRawBufferPointer(rebasing: $0[start...])) }
        }
        if other.count < content.count { other = [UInt8](repeating: 0, count: content.count) }
        let count = try other.withUnsafeMutableBytes { other in
            try naming("read a layer's pack") {
                try Errno.retrying { pread(fd.raw, other.baseAddress, content.count, off_t(offset)) }
            }
        }
        return count == content.count && other.withUnsafeBytes { isEqual(content, $0) }
    }

    private func isEqual(_ content: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        guard let one = content.baseAddress, let two = other.baseAddress else { return content.isEmpty }
        return other.count >= content.count && memcmp(one, two, content.count) == 0
    }
}
