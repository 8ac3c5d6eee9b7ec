/// An image that a layout or an archive holds, its documents read and verified, its layers not.
package struct ArchivedImage: Sendable {
    /// Familiar references; empty for one that nobody named.
    package var names: [String]
    /// The digest of `config`: the image's ID.
    package let id: Digest
    /// As it is in the archive.
    package let config: [UInt8]
    package let manifestDigest: Digest?
    /// Bottom to top.
    package let layers: [ArchivedLayer]

    /// What messages call it.
    package var label: String { names.first ?? String(id.hex.prefix(12)) }
}

/// Where a layer's blob is, and what it should be.
package struct ArchivedLayer: Sendable {
    /// Of the uncompressed tar, as the image's config says.
    package let diffID: Digest
    /// The blob's name in the archive.
    package let file: String
    /// Of the blob as it is stored; nil where the format doesn't say.
    package let blobDigest: Digest?
    /// Bytes of the blob as it is stored; nil where the format doesn't say.
    package let blobSize: UInt64?
}
