package import OCI

/// A blob that a layer came as, in a registry or an archive: a tar, compressed or not. A layer can have come as several.
package struct LayerBlob: Sendable, Equatable {
    /// Of the bytes as they came.
    package var digest: Digest
    /// Of the bytes as they came.
    package var size: UInt64
    /// As the last manifest that had it says.
    package var mediaType: String
    /// Of its descriptor, as the last manifest that had it says.
    package var annotations: [String: String]
    /// Whether its bytes were read here, and were what unpacks to the layer. Otherwise a manifest and a config say so,
    /// which are anybody's: good enough to tell what to send where that manifest goes, not to take the one for the
    /// other.
    package var isVerified: Bool

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

    /// `descriptor`: from the manifest.
    package init(_ descriptor: Descriptor, isVerified: Bool) {
        self.init(
            digest: descriptor.digest,
            size: descriptor.size,
            mediaType: descriptor.mediaType,
            annotations: descriptor.annotations ?? [:],
            isVerified: isVerified
        )
    }
}
