package import Digests
package import Linux

import Glibc

/// Makes the blob of a layer of the store (`LayerBlobWriter`).
package struct LayerCompression: Sendable {
    package enum Format: String, Sendable, CaseIterable { case gzip, zstd }

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
        // The writer's closure outlives the borrow.
        let file = OpenFile(try naming("duplicate a descriptor") { try file.duplicate() })
        let blob = try withoutActuallyEscaping(news) { news in
            var done: UInt64 = 0
            let writer = LayerBlobWriter(format) { bytes in
                try naming("write a compressed layer") { try file.fd.writeAll(bytes) }
                try news(done)
            }
            try LayerExport(layout: layout).write(diffID) { bytes in
                done += UInt64(bytes.count)
                try writer.write(bytes)
            }
            return try writer.finish()
        }
        return (blob.digest, blob.size)
    }
}
