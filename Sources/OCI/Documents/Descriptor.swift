/// One document's reference to another: its type, size and digest.
package struct Descriptor: Codable, Sendable {
    package var mediaType: String
    package var digest: Digest
    /// The size of the blob in bytes.
    package var size: UInt64
    package var annotations: [String: String]?
    package var platform: Platform?

    enum CodingKeys: String, CodingKey { case mediaType, digest, size, annotations, platform }

    package init(from decoder: any Decoder) throws {
        let members = try FoldedMembers(decoder, by: CodingKeys.self)
        mediaType = try members.value(.mediaType) ?? ""
        digest = try members.required(.digest)
        size = try members.required(.size)
        annotations = try members.value(.annotations)
        platform = try members.value(.platform)
        if platform?.os.isEmpty == true, platform?.architecture.isEmpty == true { platform = nil }
    }

    package init(
        mediaType: String,
        digest: Digest,
        size: UInt64,
        annotations: [String: String]? = nil,
        platform: Platform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
        self.platform = platform
    }

    /// Build provenance, which an index may have beside images: it can't run.
    package var isAttestation: Bool {
        annotations?["vnd.docker.reference.type"] == "attestation-manifest"
            || platform?.os == "unknown" && platform?.architecture == "unknown"
    }
}

/// Names of annotations.
package enum Annotation {
    /// The image's tag, sometimes its whole name.
    package static let refName = "org.opencontainers.image.ref.name"
    /// The image's whole name.
    package static let imageName = "io.containerd.image.name"
    package static let created = "org.opencontainers.image.created"
}
