import Linux

extension ImageArchive {
    /// Real indexes in indexes are two deep.
    private static let depthLimit = 8

    func layoutImages(
        index bytes: [UInt8],
        host: Platform,
        skipping: (SkippedEntry) -> Void
    ) throws -> [ArchivedImage] {
        let index = try JSONDocument.decode(Index.self, from: bytes, name: "index.json of \(files.name)")
        var images: [ArchivedImage] = []
        var skipped: [SkippedEntry] = []
        func skip(_ entry: Descriptor, _ name: String?, _ kind: String) {
            skipped.append(SkippedEntry(name: name ?? String(entry.digest.hex.prefix(12)), kind: kind))
        }
        var groups: [(name: String?, entries: [Descriptor])] = []
        for entry in index.manifests {
            guard !entry.isAttestation else {
                skip(entry, nil, "an attestation")
                continue
            }
            let name = try name(of: entry)
            // One name over several entries means one image for several platforms.
            if let group = groups.firstIndex(where: { $0.name == name }), name != nil || entry.platform != nil
            {
                groups[group].entries.append(entry)
            } else {
                groups.append((name, [entry]))
            }
        }
        for (name, entries) in groups {
            let label = name ?? entries.first.map { String($0.digest.hex.prefix(12)) } ?? files.name
            // A single image may be for another machine: the user may just want to look at it.
            let entry =
                entries.count == 1
                ? entries[0] : try Index.choose(entries, for: host, name: "image \(label)")
            do {
                let names = name.map { [$0] } ?? []
                images.append(try resolve(entry, names: names, label: "image \(label)", host: host))
            } catch let other as NotAnImage {
                skip(entry, name, other.kind)
            }
        }
        if images.isEmpty, let first = skipped.first {
            throw Failure("\(files.name) has no container image: \(first.name) is \(first.kind)")
        }
        for entry in skipped { skipping(entry) }
        return images
    }

    /// Follows indexes down to the manifest for `host`.
    private func resolve(
        _ entry: Descriptor,
        names: [String],
        label: String,
        host: Platform
    ) throws -> ArchivedImage {
        var descriptor = entry
        var documents: [ArchivedDocument] = []
        for _ in 0..<ImageArchive.depthLimit {
            let bytes = try blob(descriptor, limit: JSONDocument.manifestLimit, name: label)
            let (kind, mediaType) = try ImageArchive.kind(of: bytes, descriptor, name: label)
            documents.insert(ArchivedDocument(mediaType: mediaType, bytes: bytes), at: 0)
            switch kind {
            case .index:
                let index = try JSONDocument.decode(Index.self, from: bytes, name: "\(label): its index")
                descriptor = try Index.choose(index.manifests, for: host, name: label)
            case .manifest:
                let manifest = try JSONDocument.decode(
                    Manifest.self,
                    from: bytes,
                    name: "\(label): its manifest"
                )
                var found = try image(manifest, digest: descriptor.digest, names: names, label: label)
                found.documents = documents
                return found
            }
        }
        throw Failure("\(label): its indexes are nested more than \(ImageArchive.depthLimit) deep")
    }

    private enum Kind { case index, manifest }

    /// The kind of a document must be the same by its type and by its members: a document that could be both would
    /// be different images to different readers. Also returns that type.
    private static func kind(of bytes: [UInt8], _ descriptor: Descriptor, name: String) throws -> (
        Kind, String
    ) {
        struct Members: Decodable {
            enum CodingKeys: CodingKey {
                case schemaVersion, mediaType, manifests, layers, config, fsLayers, blobs
            }
            /// A member of which only the presence counts.
            struct Present: Decodable {
                init(from decoder: any Decoder) {}
            }
            var schemaVersion: Int
            var mediaType: String
            var isIndex: Bool
            var isManifest: Bool
            var isOld: Bool
            var isArtifact: Bool

            init(from decoder: any Decoder) throws {
                let members = try FoldedMembers(decoder, by: CodingKeys.self)
                func has(_ key: CodingKeys) throws -> Bool {
                    let present: Present? = try members.value(key)
                    return present != nil
                }
                schemaVersion = try members.value(.schemaVersion) ?? 2
                mediaType = try members.value(.mediaType) ?? ""
                isManifest = try has(.layers) || has(.config)
                isIndex = try has(.manifests) || !isManifest && MediaType.isIndex(mediaType)
                isOld = try has(.fsLayers)
                isArtifact = try has(.blobs) || mediaType == "application/vnd.oci.artifact.manifest.v1+json"
            }
        }
        let members = try JSONDocument.decode(
            Members.self,
            from: bytes,
            name: "\(name): \(file(descriptor.digest))"
        )
        guard members.schemaVersion == 2, !members.isOld else {
            throw Failure(
                "\(name): its manifest has schema version \(members.schemaVersion); mica reads version 2",
                advice:
                    "The old version has no digests of what is in the layers. Pull and save the image again."
            )
        }
        let (isIndex, isManifest) = (members.isIndex, members.isManifest)
        if members.isArtifact, !isIndex, !isManifest { throw NotAnImage(kind: "an artifact") }
        guard isIndex != isManifest else {
            throw Failure("\(name): \(file(descriptor.digest)) is neither a manifest nor an index")
        }
        for type in [descriptor.mediaType, members.mediaType] {
            if isIndex && MediaType.isManifest(type) || isManifest && MediaType.isIndex(type) {
                throw Failure(
                    "\(name): \(file(descriptor.digest)) says that it is \(type), but has the members of "
                        + (isIndex ? "an index" : "a manifest")
                )
            }
        }
        let types = [descriptor.mediaType, members.mediaType, isIndex ? MediaType.index : MediaType.manifest]
        let type = types.first { isIndex ? MediaType.isIndex($0) : MediaType.isManifest($0) } ?? ""
        return (isIndex ? .index : .manifest, type)
    }

    /// The kind of a manifest that is not an image's. Signatures have an image's config, but other layers.
    private static func otherKind(of manifest: Manifest) -> String? {
        let config = manifest.config.mediaType
        if config == MediaType.dockerPlugin { return "a plugin of docker's" }
        guard let layer = manifest.layers.first(where: { !MediaType.isLayerOfSomeKind($0.mediaType) }) else {
            return nil
        }
        let type = layer.mediaType
        if type.contains("simplesigning") || type.contains("notary.signature") { return "a signature" }
        if type.contains("in-toto") || type.contains("dsse") { return "an attestation" }
        return MediaType.isConfig(config)
            ? "an artifact, a layer of it is \(type)" : "an artifact, its config is \(config)"
    }

    private func image(
        _ manifest: Manifest,
        digest: Digest,
        names: [String],
        label: String
    ) throws -> ArchivedImage {
        if let other = ImageArchive.otherKind(of: manifest) { throw NotAnImage(kind: other) }
        let type = manifest.config.mediaType
        let config = try blob(manifest.config, limit: JSONDocument.configLimit, name: "\(label): its config")
        let diffIDs: [Digest]
        do { diffIDs = try ImageConfig(json: config, name: "\(label): its config").diffIDs } catch {
            // A config of an unusual type does not make an image.
            guard MediaType.isConfig(type) else {
                throw NotAnImage(kind: "an artifact, its config is \(type)")
            }
            throw error
        }
        guard diffIDs.count == manifest.layers.count else {
            throw Failure(
                "\(label): its manifest has \(manifest.layers.count) layers, its config \(diffIDs.count)"
            )
        }
        let layers = try zip(diffIDs, manifest.layers).enumerated().map { position, pair in
            let (diffID, layer) = pair
            guard MediaType.isLayer(layer.mediaType) else {
                throw Failure(
                    "\(label), layer \(position + 1) of \(diffIDs.count): mica can't read \(layer.mediaType)",
                    advice: layer.mediaType.hasSuffix("+encrypted")
                        ? "skopeo copy --decryption-key decrypts it." : nil
                )
            }
            return ArchivedLayer(
                diffID: diffID,
                file: ImageArchive.file(layer.digest),
                blobDigest: layer.digest,
                blobSize: layer.size,
                descriptor: layer
            )
        }
        return ArchivedImage(
            names: names,
            id: manifest.config.digest,
            config: config,
            manifestDigest: digest,
            layers: layers
        )
    }

    /// containerd's annotation has the whole name; OCI's has the tag or, from some tools, the whole name.
    private func name(of entry: Descriptor) throws -> String? {
        if let name = entry.annotations?[Annotation.imageName], !name.isEmpty {
            return try familiar(name)
        }
        guard let name = entry.annotations?[Annotation.refName], !name.isEmpty else { return nil }
        if name.contains("/") || name.contains(":") { return try familiar(name) }
        // A file name need not be a valid image name: without it, the image has only its ID.
        return stem.flatMap { try? ImageReference("\($0):\(name)").familiar }
    }

    func familiar(_ name: String) throws -> String {
        do { return try ImageReference(name).familiar } catch let failure as Failure {
            throw Failure("\(files.name): \(failure.message)")
        }
    }
}
