package import OCI

/// A layer to record: published, or known to be in the store.
package struct NewLayer: Sendable, Equatable {
    package var diffID: Digest
    /// Of the uncompressed tar, bytes.
    package var tarSize: UInt64
    /// The sum of the sizes of its files, bytes.
    package var contentSize: UInt64

    /// What it came as, as far as that is to be recorded. What is recorded of it already stays.
    package var blobs: [LayerBlob]

    package init(diffID: Digest, tarSize: UInt64, contentSize: UInt64, blobs: [LayerBlob] = []) {
        self.diffID = diffID
        self.tarSize = tarSize
        self.contentSize = contentSize
        self.blobs = blobs
    }
}
