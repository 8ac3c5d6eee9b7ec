package import OCI

/// An image in the store.
package struct ImageRecord: Sendable, Equatable {
    /// The digest of the config: what docker calls the image ID.
    package var id: Digest
    /// The config, byte for byte as it came: its digest is `id`.
    package var config: [UInt8]
    /// The digest of the manifest it was loaded from, where there was one.
    package var manifestDigest: Digest?
    /// diffIDs, bottom to top.
    package var layers: [Digest]
    /// Whole references ("docker.io/library/busybox:latest"), sorted.
    package var tags: [String]
    /// Unix seconds, from the config; 0 where it says nothing.
    package var created: Int64
    /// The sum of the sizes of the files in its layers, bytes.
    package var size: UInt64
}

/// An image to record. Its layers are published already.
package struct NewImage: Sendable {
    package var config: [UInt8]
    /// Bottom to top.
    package var layers: [NewLayer]
    /// References; they are made whole.
    package var tags: [String]
    package var manifestDigest: Digest?
    /// What it came with, byte for byte: its manifest, the index that lists that, and so on outwards. Their digests
    /// were checked. Empty for an image that was made here, or came without.
    package var documents: [ImageDocument]

    package init(
        config: [UInt8],
        layers: [NewLayer],
        tags: [String] = [],
        manifestDigest: Digest? = nil,
        documents: [ImageDocument] = []
    ) {
        self.config = config
        self.layers = layers
        self.tags = tags
        self.manifestDigest = manifestDigest
        self.documents = documents
    }
}

/// What removing an image came to.
package struct Removal: Sendable, Equatable {
    /// Which image it was about.
    package let image: Digest
    package var untagged: [String] = []
    package var deleted: [Digest] = []

    package init(of image: Digest, untagged: [String] = [], deleted: [Digest] = []) {
        self.image = image
        self.untagged = untagged
        self.deleted = deleted
    }
}
