import Linux

/// A list of manifests or further indexes: a layout's images, or an image's platforms.
package struct Index: Codable, Sendable {
    package var schemaVersion = 2
    package var mediaType: String?
    package var manifests: [Descriptor]
    package var annotations: [String: String]?

    enum CodingKeys: String, CodingKey { case schemaVersion, mediaType, manifests, annotations }

    package init(from decoder: any Decoder) throws {
        let members = try FoldedMembers(decoder, by: CodingKeys.self)
        schemaVersion = try members.value(.schemaVersion) ?? 2
        mediaType = try members.value(.mediaType)
        manifests = try members.value(.manifests) ?? []
        annotations = try members.value(.annotations)
    }

    package init(manifests: [Descriptor]) {
        self.mediaType = MediaType.index
        self.manifests = manifests
    }

    /// The entry that runs best on `host`. An entry without a platform runs everywhere, unless another one says that
    /// it is for this host.
    package static func choose(_ candidates: [Descriptor], for host: Platform, name: String) throws
        -> Descriptor
    {
        let images = candidates.filter { !$0.isAttestation }
        let ranked = images.compactMap { image -> (Descriptor, Int)? in
            guard let platform = image.platform else { return (image, -1) }
            return platform.rank(on: host).map { (image, $0) }
        }
        // The first of equals, because an index lists first what its author prefers.
        var best: (Descriptor, Int)?
        for candidate in ranked where candidate.1 > (best?.1 ?? Int.min) { best = candidate }
        if let best { return best.0 }
        var seen: Set<String> = []
        let platforms = images.compactMap { $0.platform?.description }.filter { seen.insert($0).inserted }
        // An index can have any number.
        let shown = platforms.prefix(20).joined(separator: ", ") + (platforms.count > 20 ? ", …" : "")
        throw Failure("\(name) has no image for \(host)" + (platforms.isEmpty ? "" : ", only for \(shown)"))
    }
}
