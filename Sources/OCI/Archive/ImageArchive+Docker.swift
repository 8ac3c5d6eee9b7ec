import Linux

/// One element of a docker-archive's `manifest.json`, for one image, with docker's spelling of the members.
package struct DockerManifest: Codable {
    package var config: String
    package var repoTags: [String]?
    package var layers: [String]?

    package init(config: String, repoTags: [String], layers: [String]) {
        self.config = config
        self.repoTags = repoTags
        self.layers = layers
    }

    package init(from decoder: any Decoder) throws {
        let members = try FoldedMembers(decoder, by: CodingKeys.self)
        config = try members.required(.config)
        repoTags = try members.value(.repoTags)
        layers = try members.value(.layers)
    }

    enum CodingKeys: String, CodingKey {
        case config = "Config"
        case repoTags = "RepoTags"
        case layers = "Layers"
    }
}

extension ImageArchive {
    func dockerImages(manifest bytes: [UInt8]) throws -> [ArchivedImage] {
        let name = "manifest.json of \(files.name)"
        // A list in docker's archives, an object where skopeo has put an image's own manifest.
        guard bytes.first(where: { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }) != UInt8(ascii: "{") else {
            throw Failure(
                "\(files.name) is what skopeo calls dir: and podman docker-dir, neither an OCI layout nor a docker-archive",
                advice: "skopeo copy dir:\(files.name) oci:LAYOUT:TAG makes a layout of it."
            )
        }
        return try JSONDocument.decode([DockerManifest].self, from: bytes, name: name).map { manifest in
            let names = try (manifest.repoTags ?? []).map(familiar)
            let label = "image \(names.first ?? String(manifest.config.prefix(80)))"
            guard let config = try document(manifest.config, limit: JSONDocument.configLimit) else {
                throw Failure("\(label): its config \(manifest.config) is missing from \(files.name)")
            }
            if let digest = ImageArchive.digest(inName: manifest.config) {
                try ImageArchive.verify(config, digest, name: "\(label): its config \(manifest.config)")
            }
            let diffIDs = try ImageConfig(json: config, name: "\(label): its config").diffIDs
            let layers = manifest.layers ?? []
            guard diffIDs.count == layers.count else {
                throw Failure(
                    "\(label): manifest.json has \(layers.count) layers, its config \(diffIDs.count)"
                )
            }
            return ArchivedImage(
                names: names,
                id: SHA256.digest(of: config),
                config: config,
                manifestDigest: nil,
                layers: zip(diffIDs, layers).map { diffID, file in
                    ArchivedLayer(
                        diffID: diffID,
                        file: file,
                        // In the legacy form the name is another kind of ID.
                        blobDigest: file.hasPrefix("blobs/") ? ImageArchive.digest(inName: file) : nil,
                        blobSize: nil
                    )
                }
            )
        }
    }

    /// Adds the names that a docker-archive gives to images that are also in the layout beside it. Errors in it are
    /// ignored, because the layout can be read all the same.
    func addNames(of manifest: [UInt8], to images: inout [ArchivedImage]) {
        let manifests = try? JSONDocument.decode([DockerManifest].self, from: manifest, name: "manifest.json")
        for manifest in manifests ?? [] {
            guard let id = ImageArchive.digest(inName: manifest.config) else { continue }
            guard let place = images.firstIndex(where: { $0.id == id }) else { continue }
            for tag in manifest.repoTags ?? [] {
                guard let name = try? familiar(tag), !images[place].names.contains(name) else { continue }
                images[place].names.append(name)
            }
        }
    }

    /// `<hex>.json`, `blobs/sha256/<hex>`.
    private static func digest(inName name: String) -> Digest? {
        let last = name.split(separator: "/").last ?? ""
        return Digest(hex: last.hasSuffix(".json") ? last.dropLast(5) : last)
    }
}
