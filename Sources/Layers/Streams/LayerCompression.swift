package import Digests
import Linux
package import SystemPackage

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

    /// Writes the blob of a layer to a new file. `news`: gets the bytes of tar done so far, and stops the work by
    /// throwing.
    package func write(
        _ diffID: Digest,
        to path: FilePath,
        news: (UInt64) throws -> Void = { _ in }
    ) throws -> (digest: Digest, size: UInt64) {
        let file = try naming("create \(path)") {
            try OwnedFD.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        }
        let blob = try withoutActuallyEscaping(news) { news in
            var done: UInt64 = 0
            let writer = LayerBlobWriter(format) { bytes in
                try naming("write \(path)") { try file.writeAll(bytes) }
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
