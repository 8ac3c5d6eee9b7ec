import Layers
import Linux
package import OCI

/// The blob of a snapshot's changes, in a file without a name: it goes with this value.
package final class WrittenDiff: Sendable {
    package let descriptor: Descriptor
    /// Of the tar that was compressed; nil where the blob is the tar.
    package let diffID: Digest?
    private let file: OwnedFD

    init(_ blob: LayerBlobWriter.Blob, mediaType: String, in file: consuming OwnedFD) {
        descriptor = Descriptor(mediaType: mediaType, digest: blob.digest, size: blob.size)
        diffID = blob.digest == blob.diffID ? nil : blob.diffID
        self.file = file
    }

    /// Up to `count` bytes from `offset` on; empty at the end.
    package func bytes(at offset: UInt64, count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = try file.readFully(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
        }
    }
}
