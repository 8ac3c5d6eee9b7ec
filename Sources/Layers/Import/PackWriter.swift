import Linux
import SystemPackage

import Digests
import Glibc

/// Writes a layer's pack: small contents back to back, each different one once.
final class PackWriter {
    private let fd: OwnedFD
    private var buffer: [UInt8] = []
    private var offset: UInt64 = 0
    private var known: [Digest: UInt64] = [:]

    private static let bufferSize = 1 << 20
    /// Contents remembered to be found again: about 80 MB. Later ones are merely stored twice.
    private static let knownLimit = 1 << 20

    /// Takes `fd`, an empty file open for writing.
    init(_ fd: consuming OwnedFD) {
        self.fd = fd
        buffer.reserveCapacity(Self.bufferSize)
    }

    /// Returns the content's offset.
    func add(_ content: UnsafeRawBufferPointer) throws -> UInt64 {
        let digest = SHA256.digest(of: content)
        if let offset = known[digest] { return offset }
        if buffer.count + content.count > Self.bufferSize { try flush() }
        let start = offset
        buffer.append(contentsOf: content)
        offset += UInt64(content.count)
        if known.count < Self.knownLimit { known[digest] = start }
        return start
    }

    func flush() throws {
        try naming("write a layer's pack") { try fd.writeAll(buffer) }
        buffer.removeAll(keepingCapacity: true)
    }
}
