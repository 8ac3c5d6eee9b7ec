package import Layers
package import OCI
package import Snapshots

import Digests
import Linux
import Registry
import SystemPackage

/// Sends images of the store to a registry, a pulled image byte for byte as it came.
package struct ImagePush: Sendable {
    /// Progress of a layer, which is named by its diffID.
    package enum Event: Sendable {
        /// The registry has it.
        case alreadyThere(Digest)
        /// The registry has taken it over from another of its repositories.
        case mounted(Digest, from: String)
        /// Bytes of the tar.
        case compressing(Digest, done: UInt64, total: UInt64)
        /// Bytes of the blob.
        case sending(Digest, done: UInt64, total: UInt64)
        case sent(Digest, size: UInt64)
        /// Words about what is sent instead of what came.
        case note(String)
    }

    package struct Pushed: Sendable {
        /// Of what the tag names now: a manifest, or an index.
        package let digest: Digest
        package let size: UInt64
    }

    /// How layers are compressed that have not been yet; nil: by gzip, and what there is stays.
    private let format: LayerCompression.Format?
    private let store: Store
    private let verifiesTLS: Bool

    package init(store: Store, compressing format: LayerCompression.Format? = nil, verifiesTLS: Bool = true) {
        self.store = store
        self.format = format
        self.verifiesTLS = verifiesTLS
    }

    /// `name`: of the image in the store. `destination`: with a tag. The manifest goes last: after an error the tag names
    /// what it named.
    package func push(
        _ name: String,
        to destination: ImageReference,
        report: @escaping @Sendable (Event) -> Void
    ) throws -> Pushed {
        guard let tag = destination.tag, destination.digest == nil else {
            throw Failure("\(destination.familiar): a digest can't be pushed to, only a tag")
        }
        let source = try hold(name)
        defer { source.lease.end() }
        let record = source.record
        var opening = RegistryMessage.Opening(destination, verifiesTLS: verifiesTLS)
        opening.isToRead = false
        let client = try RegistryClient(opening)
        defer { client.close() }
        let blobs = try PushedBlobs(store, client, destination, format: format ?? .gzip, report: report)

        if format == nil, let original = source.original {
            if let around = source.around, try blobs.canSend(around, store: store),
                try send(around, blobs, client)
            {
                try client.put(tag, mediaType: around.document.mediaType, around.document.bytes)
                return Pushed(around.document)
            }
            if try blobs.send(original.manifest, of: record) {
                if source.around != nil {
                    report(
                        .note("its index lists images that are not here: its own manifest is pushed alone")
                    )
                }
                try client.put(tag, mediaType: original.document.mediaType, original.document.bytes)
                return Pushed(original.document)
            }
            report(
                .note(
                    "its layers are not here as they came: they are compressed anew, in a manifest of their own"
                )
            )
        }
        let manifest = try blobs.sendAnew(record)
        let document = ImageDocument(mediaType: MediaType.manifest, bytes: try JSONDocument.encode(manifest))
        try client.put(tag, mediaType: document.mediaType, document.bytes)
        if record.manifestDigest == nil {
            // The next push sends the same manifest. An image that was removed meanwhile needs none.
            try store.note(manifest: document, of: record.id)
        }
        return Pushed(document)
    }

    /// What is to be pushed. The lease keeps its layers: a registry may take hours, in which others remove and collect.
    private struct Source {
        let record: ImageRecord
        let original: Original?
        let around: Around?
        let lease: LayerLease
    }

    private func hold(_ name: String) throws -> Source {
        let lock = try store.lockForChange()
        defer { withExtendedLifetime(lock) {} }
        let record = try store.image(named: name)
        let original = format == nil ? try self.original(of: record) : nil
        let around = try original.flatMap { try index(around: $0, of: record, tagged: name) }
        let records = [record] + (around?.entries.compactMap(\.record) ?? [])
        let layers = try Set(records.flatMap(\.layers)).sorted().map { diffID in
            guard let layer = try store.layer(diffID) else {
                throw Failure("layer \(diffID) of \(name) is not in the store", advice: "mica fsck")
            }
            return layer
        }
        return Source(
            record: record,
            original: original,
            around: around,
            lease: try LayerLease(store, for: "push", layers: layers)
        )
    }

    /// A manifest as it came, for an image that is here.
    struct Original {
        let document: ImageDocument
        let manifest: Manifest
    }

    /// An index as it came, with those of its images that are here.
    struct Around {
        let document: ImageDocument
        let entries: [(entry: Descriptor, original: Original?, record: ImageRecord?)]
    }

    private func original(of record: ImageRecord) throws -> Original? {
        guard let digest = record.manifestDigest, let document = try store.document(digest) else {
            return nil
        }
        return ImagePush.original(document, of: record)
    }

    private static func original(_ document: ImageDocument, of record: ImageRecord) -> Original? {
        guard document.digest == SHA256.digest(of: document.bytes),
            let manifest = try? JSONDocument.decode(Manifest.self, from: document.bytes, name: "manifest"),
            manifest.config.digest == record.id, manifest.layers.count == record.layers.count
        else { return nil }
        return Original(document: document, manifest: manifest)
    }

    /// The index that came under the name, or the one that was nearest around the manifest.
    private func index(around original: Original, of record: ImageRecord, tagged name: String) throws
        -> Around?
    {
        let tagged = try (try? ImageReference(name)).flatMap { try store.document(tagged: $0.description) }
        let all = try store.documents(of: record.id)
        let found =
            all.first { $0.digest == tagged }
            ?? (tagged == nil ? all.first { MediaType.isIndex($0.mediaType) } : nil)
        guard let document = found, MediaType.isIndex(document.mediaType),
            let index = try? JSONDocument.decode(Index.self, from: document.bytes, name: "index"),
            index.manifests.contains(where: { $0.digest == original.document.digest })
        else { return nil }
        return Around(
            document: document,
            entries: try index.manifests.map { entry in
                guard let document = try store.document(entry.digest),
                    let record = try? store.image(named: "any@\(entry.digest)"),
                    record.manifestDigest == entry.digest
                else { return (entry, nil, nil) }
                return (entry, ImagePush.original(document, of: record), record)
            }
        )
    }

    /// Every image that an index lists. false where one can't be sent.
    private func send(_ around: Around, _ blobs: PushedBlobs, _ client: RegistryClient) throws -> Bool {
        for (entry, original, record) in around.entries {
            if try client.holdsManifest(entry.digest.description) { continue }
            guard let original, let record, try blobs.send(original.manifest, of: record) else {
                return false
            }
            try client.put(
                entry.digest.description,
                mediaType: original.document.mediaType,
                original.document.bytes
            )
        }
        return true
    }
}

extension ImagePush.Pushed {
    init(_ document: ImageDocument) {
        self.init(digest: document.digest, size: UInt64(document.bytes.count))
    }
}
