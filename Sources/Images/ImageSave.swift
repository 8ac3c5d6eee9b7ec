package import OCI
package import Snapshots

import Layers
import Linux
import Tar

/// Writes images as one archive that is a docker-archive and an OCI layout. The same images give the same
/// bytes. Layers are plain tars, byte for byte what was loaded: their blobs' digests are their diffIDs.
package struct ImageSave: Sendable {
    private let store: Store

    package init(store: Store) { self.store = store }

    /// `names`: references and IDs; what is asked for by its ID has no name in the archive. `sink` gets the
    /// archive in pieces of any size.
    package func save(
        _ names: [String],
        report: (Digest) -> Void = { _ in },
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let (images, lease) = try hold(names)
        defer { lease.end() }
        var writer = TarWriter(to: sink)
        var written: Set<Digest> = []

        try writer.add(file("oci-layout"), content: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        try writer.add(TarEntry(path: Array("blobs/".utf8), kind: .directory, mode: 0o755))
        try writer.add(TarEntry(path: Array("blobs/sha256/".utf8), kind: .directory, mode: 0o755))
        let tags = images.flatMap(\.tags).map { $0.tag ?? "" }
        var entries: [Descriptor] = []
        for image in images {
            for diffID in image.record.layers where written.insert(diffID).inserted {
                try add(layer: diffID, to: &writer)
                report(diffID)
            }
            let manifest = try JSONDocument.encode(try manifest(of: image.record))
            for blob in [image.record.config, manifest] {
                let digest = SHA256.digest(of: blob)
                if written.insert(digest).inserted { try writer.add(file(blobName(digest)), content: blob) }
            }
            let descriptor = Descriptor(
                mediaType: MediaType.manifest,
                digest: SHA256.digest(of: manifest),
                size: UInt64(manifest.count),
                platform: try platform(of: image.record)
            )
            entries += descriptors(descriptor, of: image, tags: tags)
        }
        try writer.add(file("index.json"), content: try JSONDocument.encode(Index(manifests: entries)))
        try writer.add(
            file("manifest.json"),
            content: try JSONDocument.encode(
                images.map { image in
                    DockerManifest(
                        config: blobName(image.record.id),
                        repoTags: image.tags.map(\.familiar),
                        layers: image.record.layers.map(blobName)
                    )
                }
            )
        )
        try writer.finish()
        for image in images { store.tell("save", of: image.record.id, named: image.tags.first?.familiar) }
    }

    /// What is to be saved. The lease keeps its layers: who reads the archive may take hours.
    private func hold(_ names: [String]) throws -> ([Selected], LayerLease) {
        let lock = try store.lockForChange()
        defer { withExtendedLifetime(lock) {} }
        let images = try selected(names)
        let layers = try Set(images.flatMap(\.record.layers)).sorted().map { diffID in
            guard let layer = try store.layer(diffID) else {
                throw Failure("layer \(diffID) is not in the store", advice: "mica fsck")
            }
            return layer
        }
        return (images, try LayerLease(store, for: "save", layers: layers))
    }

    private struct Selected {
        let record: ImageRecord
        var tags: [ImageReference]
    }

    private func selected(_ names: [String]) throws -> [Selected] {
        var images: [Selected] = []
        for name in names {
            let record = try store.image(named: name)
            let reference = (try? ImageReference(name)).flatMap {
                record.tags.contains($0.description) ? $0 : nil
            }
            if let known = images.firstIndex(where: { $0.record.id == record.id }) {
                if let reference, !images[known].tags.contains(reference) {
                    images[known].tags.append(reference)
                }
            } else {
                images.append(Selected(record: record, tags: reference.map { [$0] } ?? []))
            }
        }
        return images
    }

    private func add(layer diffID: Digest, to writer: inout TarWriter) throws {
        guard let layer = try store.layer(diffID) else {
            throw Failure("layer \(diffID) is not in the store")
        }
        var entry = file(blobName(diffID))
        entry.size = layer.tarSize
        try writer.add(entry)
        try LayerExport(layout: store.layout).write(diffID) { try writer.write($0) }
    }

    private func manifest(of image: ImageRecord) throws -> Manifest {
        Manifest(
            config: Descriptor(
                mediaType: MediaType.config,
                digest: image.id,
                size: UInt64(image.config.count)
            ),
            layers: try image.layers.map { diffID in
                guard let layer = try store.layer(diffID) else {
                    throw Failure("layer \(diffID) is not in the store")
                }
                return Descriptor(mediaType: MediaType.layer, digest: diffID, size: layer.tarSize)
            }
        )
    }

    private func platform(of image: ImageRecord) throws -> Platform? {
        let config = try ImageConfig(json: image.config, name: "image \(image.id): its config")
        guard let architecture = config.architecture, let os = config.os else { return nil }
        return Platform(architecture: architecture, os: os, variant: config.variant)
    }

    /// One entry a name. The tag alone is what tools look for; where several images have the same one, only the
    /// whole name is unambiguous.
    private func descriptors(_ descriptor: Descriptor, of image: Selected, tags: [String]) -> [Descriptor] {
        guard !image.tags.isEmpty else { return [descriptor] }
        return image.tags.map { reference in
            let tag = reference.tag ?? ""
            let isUnique = tags.count { $0 == tag } == 1
            var named = descriptor
            named.annotations = [
                Annotation.imageName: reference.description,
                Annotation.refName: isUnique ? tag : reference.familiar,
            ]
            return named
        }
    }

    private func blobName(_ digest: Digest) -> String { "blobs/sha256/\(digest.hex)" }

    private func file(_ name: String) -> TarEntry { TarEntry(path: Array(name.utf8), kind: .file) }
}
