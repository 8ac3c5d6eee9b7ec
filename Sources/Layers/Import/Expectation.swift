package import Digests

/// What a manifest and a config promise of a layer. nil: not known, not checked.
package struct Expectation: Sendable {
    /// Of the tar.
    package var diffID: Digest?
    /// Of the bytes as they come, compressed or not.
    package var blobDigest: Digest?
    package var blobSize: UInt64?

    package init(diffID: Digest? = nil, blobDigest: Digest? = nil, blobSize: UInt64? = nil) {
        self.diffID = diffID
        self.blobDigest = blobDigest
        self.blobSize = blobSize
    }
}
