/// An image in a layout or an archive: its documents have been read and verified, its layers not.
package struct ArchivedImage: Sendable {
    /// Familiar references; empty for an image without a name.
    package var names: [String]
    /// The digest of `config`: the image's ID.
    package let id: Digest
    /// The bytes in the archive.
    package let config: [UInt8]
    package let manifestDigest: Digest?
    /// Bottom to top.
    package let layers: [ArchivedLayer]
    /// Its manifest, and the indexes that led to it, from the inside out; empty where the format has none.
    package var documents: [ArchivedDocument] = []

    /// The name in messages.
    package var label: String { names.first ?? String(id.hex.prefix(12)) }
}

/// Where a layer's blob is, and its expected digest and size.
package struct ArchivedLayer: Sendable {
    /// The digest of the uncompressed tar, according to the image's config.
    package let diffID: Digest
    /// The blob's name in the archive.
    package let file: String
    /// The digest of the blob as it is stored; nil where the format doesn't have it.
    package let blobDigest: Digest?
    /// The size in bytes of the blob as it is stored; nil where the format doesn't have it.
    package let blobSize: UInt64?
    /// The manifest's descriptor of it; nil without a manifest.
    package var descriptor: Descriptor?
}

/// A manifest or an index, byte for byte as its digest was verified.
package struct ArchivedDocument: Sendable {
    package let mediaType: String
    package let bytes: [UInt8]
}
