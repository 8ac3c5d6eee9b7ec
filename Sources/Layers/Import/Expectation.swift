package import Digests

/// What a manifest and a config say of a layer. A nil value is unknown, and not checked.
package struct Expectation: Sendable {
    /// The digest of the tar.
    package var diffID: Digest?
    /// The digest of the blob, compressed or not.
    package var blobDigest: Digest?
    package var blobSize: UInt64?

    package init(diffID: Digest? = nil, blobDigest: Digest? = nil, blobSize: UInt64? = nil) {
        self.diffID = diffID
        self.blobDigest = blobDigest
        self.blobSize = blobSize
    }
}
