package import OCI

/// A manifest or an index, byte for byte as it came.
package struct ImageDocument: Sendable, Equatable {
    /// Of `bytes`.
    package let digest: Digest
    /// As the registry or the descriptor that led to it said.
    package let mediaType: String
    package let bytes: [UInt8]

    package init(mediaType: String, bytes: [UInt8]) {
        self.init(digest: SHA256.digest(of: bytes), mediaType: mediaType, bytes: bytes)
    }

    /// One of the database's.
    init(digest: Digest, mediaType: String, bytes: [UInt8]) {
        self.digest = digest
        self.mediaType = mediaType
        self.bytes = bytes
    }
}
