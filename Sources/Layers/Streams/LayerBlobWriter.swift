package import Digests
import Linux

import Glibc

/// Makes a layer's blob of its tar, as the tar comes: in pieces of a fixed size, each compressed by itself (a member of
/// gzip, a frame of zstd), which readers take for one stream. The same tar gives the same bytes on any number of CPUs.
///
/// For one thread. The blob must not count before `finish` has returned.
package final class LayerBlobWriter {
    package struct Blob: Sendable, Equatable {
        /// Of the bytes that were written.
        package let digest: Digest
        package let size: UInt64
        /// Of the tar.
        package let diffID: Digest
        package let tarSize: UInt64
    }

    /// The bytes of tar in each piece. Pieces cost less than a thousandth in size.
    private static let piece = 4 << 20
    /// Each piece needs a few megabytes of memory.
    private static let width = min(max(Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))), 1), 4)

    private let sink: (UnsafeRawBufferPointer) throws -> Void
    /// nil where the blob is the tar itself.
    private let pieces: LayerCompression.Pieces?
    private var hash = SHA256()
    private var size: UInt64 = 0
    private var tarHash = SHA256()
    private var tarSize: UInt64 = 0

    /// `format`: nil leaves the tar as it is. `sink` gets the blob in pieces of any size.
    package init(
        _ format: LayerCompression.Format?,
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) {
        pieces = format.map {
            LayerCompression.Pieces($0, size: LayerBlobWriter.piece, width: LayerBlobWriter.width)
        }
        self.sink = sink
    }

    /// The next bytes of the tar.
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        tarHash.update(bytes)
        tarSize += UInt64(bytes.count)
        guard let pieces else { return try sink(bytes) }
        var rest = bytes
        while !rest.isEmpty {
            rest = UnsafeRawBufferPointer(rebasing: rest[pieces.take(rest)...])
            if pieces.isFull { try flush(pieces) }
        }
    }

    /// The tar is complete.
    package func finish() throws -> Blob {
        let diffID = tarHash.finish()
        guard let pieces else { return Blob(digest: diffID, size: tarSize, diffID: diffID, tarSize: tarSize) }
        try flush(pieces)
        return Blob(digest: hash.finish(), size: size, diffID: diffID, tarSize: tarSize)
    }

    private func flush(_ pieces: LayerCompression.Pieces) throws {
        try pieces.compress { bytes in
            hash.update(bytes)
            size += UInt64(bytes.count)
            try sink(bytes)
        }
    }
}
