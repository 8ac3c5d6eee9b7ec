package import OCI

/// A blob that a layer came as, in a registry or an archive: a tar, compressed or not. A layer can have come as several.
package struct LayerBlob: Sendable, Equatable {
    /// Of the bytes as they came.
    package var digest: Digest
    /// Of the bytes as they came.
    package var size: UInt64
    /// As the last manifest that had it says.
    package var mediaType: String
    /// Of its descriptor, as the last manifest that had it says; and what the store itself has noted, which no manifest can
    /// say and which stays: see `compressed` and `origin`.
    package var annotations: [String: String]
    /// Whether its bytes were read here, and were what unpacks to the layer. Otherwise a manifest and a config say so,
    /// which are anybody's: good enough to tell what to send where that manifest goes, not to take the one for the
    /// other.
    package var isVerified: Bool

    /// Begins the annotations that are the store's own.
    static let ownPrefix = "mica."
    /// The format by which mica has compressed the layer, for a blob of its own.
    package static let compressed = "mica.compressed"
    /// The repository from which it was pulled, DOMAIN/PATH.
    package static let origin = "mica.from"

    package init(
        digest: Digest,
        size: UInt64,
        mediaType: String,
        annotations: [String: String] = [:],
        isVerified: Bool
    ) {
        self.digest = digest
        self.size = size
        self.mediaType = mediaType
        self.annotations = annotations
        self.isVerified = isVerified
    }

    /// `descriptor`: from the manifest. `repository`: from which it is pulled.
    package init(_ descriptor: Descriptor, from repository: String? = nil, isVerified: Bool) {
        self.init(
            digest: descriptor.digest,
            size: descriptor.size,
            mediaType: descriptor.mediaType,
            annotations: (descriptor.annotations ?? [:]).filter { !$0.key.hasPrefix(LayerBlob.ownPrefix) },
            isVerified: isVerified
        )
        annotations[LayerBlob.origin] = repository
    }
}
