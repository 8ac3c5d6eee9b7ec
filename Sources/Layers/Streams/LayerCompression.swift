package import Digests
package import Linux

import Glibc

/// Makes the blob of a layer: its tar in pieces of a fixed size, each compressed by itself (a member of gzip, a
/// frame of zstd), which readers take for one stream. The same layer gives the same bytes on any number of CPUs.
package struct LayerCompression: Sendable {
    package enum Format: String, Sendable, CaseIterable { case gzip, zstd }

    /// The bytes of tar in each piece. Pieces cost less than a thousandth in size.
    private static let piece = 4 << 20

    private let layout: StoreLayout
    private let format: Format

    package init(layout: StoreLayout, format: Format) {
        self.layout = layout
        self.format = format
    }

    /// Writes the blob of a layer to an empty file. `news`: gets the bytes of tar done so far, and stops the work by
    /// throwing.
    package func write(
        _ diffID: Digest,
        to file: borrowing OwnedFD,
        news: (UInt64) throws -> Void = { _ in }
    ) throws -> (digest: Digest, size: UInt64) {
        var hash = SHA256()
        var size: UInt64 = 0
        var done: UInt64 = 0
        let pieces = Pieces(format, size: LayerCompression.piece, width: LayerCompression.width)
        func flush() throws {
            try pieces.compress { bytes in
                hash.update(bytes)
                size += UInt64(bytes.count)
                try naming("write a compressed layer") { try file.writeAll(bytes) }
            }
            try news(done)
        }
        try LayerExport(layout: layout).write(diffID) { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let taken = pieces.take(rest)
                rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
                done += UInt64(taken)
                if pieces.isFull { try flush() }
            }
        }
        try flush()
        return (hash.finish(), size)
    }

    /// Each piece needs a few megabytes of memory.
    private static let width = min(max(Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))), 1), 4)
}
