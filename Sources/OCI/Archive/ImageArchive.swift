import Linux

/// The images in an OCI layout or a docker-archive. An archive that is both is read as a layout, which has more to
/// verify, with the names of both.
package struct ImageArchive: Sendable {
    let files: any ImageFiles
    /// The name of images that have only a tag: the archive's file name. nil: none.
    let stem: String?

    package init(_ files: some ImageFiles, stem: String?) {
        self.files = files
        self.stem = stem
    }

    /// Every image that runs on `host`, or does not say where it runs, in the archive's order. Failure when one of
    /// them is damaged or has nothing for `host`, and where there is none. `skipping` receives the other entries.
    package func images(
        for host: Platform = .host,
        skipping: (SkippedEntry) -> Void = { _ in }
    ) throws -> [ArchivedImage] {
        let index = try document("index.json", limit: JSONDocument.manifestLimit)
        let manifest = try document("manifest.json", limit: JSONDocument.manifestLimit)
        var found: [ArchivedImage]
        if let index, try isLayout(orElse: manifest != nil) {
            found = try layoutImages(index: index, host: host, skipping: skipping)
            if let manifest { addNames(of: manifest, to: &found) }
        } else if let manifest {
            found = try dockerImages(manifest: manifest)
        } else {
            throw Failure(
                "\(files.name) is neither an OCI layout nor a docker-archive: "
                    + "it has no index.json and no manifest.json",
                advice: "A root filesystem becomes an image with: mica import"
            )
        }
        guard !found.isEmpty else { throw Failure("there is no image in \(files.name)") }
        return ImageArchive.merged(found)
    }

    /// The blob of `layer`. Failure when it is missing or has the wrong size; `name`: for messages.
    package func open(_ layer: ArchivedLayer, name: String) throws -> BlobFile {
        guard let blob = try files.file(layer.file) else {
            throw Failure("\(name): \(layer.file) is missing from \(files.name)")
        }
        if let size = layer.blobSize, blob.size != size {
            throw Failure("\(name): \(layer.file) should have \(size) bytes, but has \(blob.size)")
        }
        return blob
    }

    /// nil where there is no such document.
    func document(_ name: String, limit: Int) throws -> [UInt8]? {
        try files.file(name).map { try $0.contents(limit: limit, name: "\(name) of \(files.name)") }
    }

    /// The document that `descriptor` refers to, verified by its size and digest.
    func blob(_ descriptor: Descriptor, limit: Int, name: String) throws -> [UInt8] {
        let file = ImageArchive.file(descriptor.digest)
        guard let blob = try files.file(file) else {
            throw Failure("\(name): \(file) is missing from \(files.name)")
        }
        guard blob.size == descriptor.size else {
            throw Failure("\(name): \(file) should have \(descriptor.size) bytes, but has \(blob.size)")
        }
        let bytes = try blob.contents(limit: limit, name: "\(name): \(file)")
        try ImageArchive.verify(bytes, descriptor.digest, name: "\(name): \(file)")
        return bytes
    }

    static func file(_ digest: Digest) -> String { "blobs/sha256/\(digest.hex)" }

    static func verify(_ bytes: [UInt8], _ expected: Digest, name: String) throws {
        let digest = SHA256.digest(of: bytes)
        guard digest == expected else { throw Failure("\(name) is damaged: its digest is \(digest)") }
    }

    /// Whether the archive has the file that makes its index.json an OCI layout's. Without that file index.json is
    /// refused, unless there is something else to read (`orElse`).
    private func isLayout(orElse hasOther: Bool) throws -> Bool {
        struct Marker: Decodable {
            enum CodingKeys: CodingKey { case imageLayoutVersion }
            let imageLayoutVersion: String

            init(from decoder: any Decoder) throws {
                let members = try FoldedMembers(decoder, by: CodingKeys.self)
                imageLayoutVersion = try members.required(.imageLayoutVersion)
            }
        }
        guard let bytes = try document("oci-layout", limit: 4096) else {
            if hasOther { return false }
            throw Failure("\(files.name) has an index.json, but no oci-layout file")
        }
        let marker = try JSONDocument.decode(Marker.self, from: bytes, name: "oci-layout of \(files.name)")
        guard marker.imageLayoutVersion.hasPrefix("1.") else {
            throw Failure(
                "\(files.name) is an OCI layout of version \(marker.imageLayoutVersion); mica reads version 1"
            )
        }
        return true
    }

    /// One entry for each image, with all its names.
    private static func merged(_ images: [ArchivedImage]) -> [ArchivedImage] {
        var result: [ArchivedImage] = []
        var places: [Digest: Int] = [:]
        for image in images {
            if let place = places[image.id] {
                for name in image.names where !result[place].names.contains(name) {
                    result[place].names.append(name)
                }
            } else {
                places[image.id] = result.count
                result.append(image)
            }
        }
        return result
    }
}
