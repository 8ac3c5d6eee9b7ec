import CCodecs

/// SHA-256 of a stream. A value: a copy continues independently.
package struct SHA256: Sendable {
    private var context = ccodecs_sha256()

    package init() { ccodecs_sha256_init(&context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        ccodecs_sha256_update(&context, bytes.baseAddress, bytes.count)
    }

    /// The digest of everything so far. The stream can't be continued.
    package consuming func finish() -> Digest {
        var context = context
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        return withUnsafeMutableBytes(of: &words) { words in
            if let start = words.baseAddress {
                ccodecs_sha256_final(&context, start.assumingMemoryBound(to: UInt8.self))
            }
            return Digest(filled: UnsafeRawBufferPointer(words))
        }
    }

    package static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    package static func digest(of bytes: [UInt8]) -> Digest {
        bytes.withUnsafeBytes { digest(of: $0) }
    }
}
