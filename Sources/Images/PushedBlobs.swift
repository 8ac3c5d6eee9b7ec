import Digests
import Layers
import Linux
import OCI
import Registry
import Snapshots
import Synchronization
import SystemPackage

import Glibc

/// Brings an image's blobs to a registry, those that it has not.
final class PushedBlobs: Sendable {
    /// Layers that are compressed or sent at a time.
    private static let width = 3

    private let store: Store
    private let client: RegistryClient
    private let destination: ImageReference
    private let format: LayerCompression.Format
    private let report: @Sendable (ImagePush.Event) -> Void
    private let kept: KeptBlobs
    private let made = Mutex<[String: Made]>([:])

    /// A blob that was made to be sent.
    private struct Made {
        let file: NamelessFile
        let digest: Digest
        let size: UInt64
    }

    init(
        _ store: Store,
        _ client: RegistryClient,
        _ destination: ImageReference,
        format: LayerCompression.Format,
        report: @escaping @Sendable (ImagePush.Event) -> Void
    ) throws {
        self.store = store
        self.client = client
        self.destination = destination
        self.format = format
        self.report = report
        kept = try KeptBlobs(store.layout)
    }

    // MARK: - As they came

    /// Whether all that an index lists is there, or can be sent: before anything is.
    func canSend(_ around: ImagePush.Around, store: Store) throws -> Bool {
        try around.entries.allSatisfy {
            try $0.original != nil || client.holdsManifest($0.entry.digest.description)
        }
    }

    /// The blobs of a manifest. false where one of them is not to be had any more; some of the others may be sent then.
    func send(_ manifest: Manifest, of record: ImageRecord) throws -> Bool {
        var seen: Set<Digest> = []
        let layers = zip(record.layers, manifest.layers).filter { seen.insert($0.0).inserted }
        let missing = Atomic(false)
        // A blob that can't be sent decides about the whole manifest: look for it first.
        try inParallel(layers.count, width: PushedBlobs.width) { [self] number in
            let (diffID, layer) = layers[number]
            guard !missing.load(ordering: .relaxed) else { return }
            guard try !isThere(layer, diffID) else { return }
            if try source(of: layer, diffID) == nil { missing.store(true, ordering: .relaxed) }
        }
        guard !missing.load(ordering: .relaxed) else { return false }
        try inParallel(layers.count, width: PushedBlobs.width) { [self] number in
            let (diffID, layer) = layers[number]
            guard let path = try source(of: layer, diffID) else { return }
            try upload(path, layer.digest, layer.size, of: diffID)
        }
        try sendConfig(of: record)
        return true
    }

    private let there = Mutex<Set<Digest>>([])

    /// Whether the repository has it, or takes it over.
    private func isThere(_ blob: Descriptor, _ diffID: Digest) throws -> Bool {
        if there.withLock({ $0.contains(blob.digest) }) { return true }
        if try client.holds(blob.digest, size: blob.size) {
            report(.alreadyThere(diffID))
        } else if let other = try neighbours(of: diffID).first(where: {
            try client.mount(blob.digest, from: $0)
        }) {
            report(.mounted(diffID, from: other))
        } else {
            return false
        }
        there.withLock { _ = $0.insert(blob.digest) }
        return true
    }

    /// Repositories of the same registry that may have a layer: images of the store have it, and come from there.
    private func neighbours(of diffID: Digest) throws -> [String] {
        let tags = try store.images().filter { $0.layers.contains(diffID) }.flatMap(\.tags)
        let paths = tags.compactMap { try? ImageReference($0) }
            .filter { $0.domain == destination.domain && $0.path != destination.path }.map(\.path)
        return Array(Set(paths).sorted().prefix(3))
    }

    /// A file that has a blob, byte for byte; nil if the registry has it, or if it is neither kept nor reproducible.
    private func source(of blob: Descriptor, _ diffID: Digest) throws -> FilePath? {
        guard !there.withLock({ $0.contains(blob.digest) }) else { return nil }
        if let known = found.withLock({ $0[blob.digest] }) { return known }
        let path = try look(for: blob, diffID)
        if let path { found.withLock { $0[blob.digest] = path } }
        return path
    }

    private let found = Mutex<[Digest: FilePath]>([:])

    private func look(for blob: Descriptor, _ diffID: Digest) throws -> FilePath? {
        if let path = kept.file(blob.digest, size: blob.size), try kept.isWhole(blob.digest) { return path }
        guard let origin = try origin(of: blob, diffID), blob.digest != diffID else {
            return try remake(blob, diffID)
        }
        do { return try fetch(blob, diffID, from: origin) } catch let failure as Failure {
            // It may have been mica that compressed it.
            if let path = try remake(blob, diffID) { return path }
            throw Failure(
                "layer \(diffID) was pulled from \(origin), and its blob \(blob.digest) is not in the store any more, or "
                    + "damaged; it could not be fetched again: \(failure.message)",
                advice: "mica push --compress gzip sends the image with other digests."
            )
        }
    }

    /// The repository from which a blob was pulled.
    private func origin(of blob: Descriptor, _ diffID: Digest) throws -> String? {
        try store.blobs(of: diffID).first { $0.digest == blob.digest }?.annotations[LayerBlob.origin]
    }

    private func fetch(_ blob: Descriptor, _ diffID: Digest, from origin: String) throws -> FilePath {
        report(
            .note("layer \(diffID.hex.prefix(12)) is not here as it came: it is fetched again from \(origin)")
        )
        return try FetchedBlob(store: store, blob: blob).bring(from: origin, to: kept)
    }

    /// A blob that mica's compression gives, or none; nil where it gives other bytes.
    private func remake(_ blob: Descriptor, _ diffID: Digest) throws -> FilePath? {
        // mica may have compressed it: the same layer gives the same bytes each time.
        let format = blob.mediaType.hasSuffix("zstd") ? LayerCompression.Format.zstd : .gzip
        if blob.digest != diffID, let own = try ownBlobs(of: diffID, format).first, own.digest != blob.digest
        {
            return nil
        }
        let new = try make(diffID, blob.digest == diffID ? nil : format)
        return new.digest == blob.digest ? new.file.path : nil
    }

    /// What mica's compression has made of a layer before.
    private func ownBlobs(of diffID: Digest, _ format: LayerCompression.Format) throws -> [LayerBlob] {
        try store.blobs(of: diffID).filter {
            $0.isVerified && $0.annotations[LayerBlob.compressed] == format.rawValue
        }
    }

    // MARK: - Anew

    /// Sends the blobs of an image, compressed by mica unless they were before. Returns the manifest that has them.
    func sendAnew(_ record: ImageRecord) throws -> Manifest {
        var seen: Set<Digest> = []
        let layers = record.layers.filter { seen.insert($0).inserted }
        let sent = Mutex<[Digest: Descriptor]>([:])
        try inParallel(layers.count, width: PushedBlobs.width) { [self] number in
            let descriptor = try sendAnew(layers[number])
            sent.withLock { $0[layers[number]] = descriptor }
        }
        try sendConfig(of: record)
        return Manifest(
            config: Descriptor(
                mediaType: MediaType.config,
                digest: record.id,
                size: UInt64(record.config.count)
            ),
            layers: sent.withLock { sent in record.layers.compactMap { sent[$0] } }
        )
    }

    /// The same for one layer.
    func sendAnew(_ diffID: Digest) throws -> Descriptor {
        let type = "\(MediaType.layer)+\(format.rawValue)"
        // What was sent once is there, or was kept.
        for known in try store.blobs(of: diffID)
        where known.isVerified && known.mediaType.hasSuffix(format.rawValue) {
            let blob = Descriptor(mediaType: type, digest: known.digest, size: known.size)
            if try isThere(blob, diffID) { return blob }
            guard let path = try keptOrFetched(blob, diffID) else { continue }
            try upload(path, blob.digest, blob.size, of: diffID)
            return blob
        }
        let made = try make(diffID, format)
        let blob = Descriptor(mediaType: type, digest: made.digest, size: made.size)
        let record = LayerBlob(
            digest: made.digest,
            size: made.size,
            mediaType: type,
            annotations: [LayerBlob.compressed: format.rawValue],
            isVerified: true
        )
        try store.add(blobs: [record], to: diffID)
        if try !isThere(blob, diffID) { try upload(made.file.path, made.digest, made.size, of: diffID) }
        return blob
    }

    /// nil where there is another way: the image is to have a new manifest anyway.
    private func keptOrFetched(_ blob: Descriptor, _ diffID: Digest) throws -> FilePath? {
        if let path = kept.file(blob.digest, size: blob.size), try kept.isWhole(blob.digest) { return path }
        return try origin(of: blob, diffID).flatMap { try? fetch(blob, diffID, from: $0) }
    }

    private func make(_ diffID: Digest, _ format: LayerCompression.Format?) throws -> Made {
        let key = "\(diffID.hex).\(format?.rawValue ?? "tar")"
        if let found = made.withLock({ $0[key] }) { return found }
        guard let layer = try store.layer(diffID) else {
            throw Failure("layer \(diffID) is not in the store")
        }
        let file = try NamelessFile(in: store.layout)
        let new: Made
        if let format {
            let compression = LayerCompression(layout: store.layout, format: format)
            let (digest, size) = try compression.write(diffID, to: file.file.fd) {
                report(.compressing(diffID, done: $0, total: layer.tarSize))
            }
            new = Made(file: file, digest: digest, size: size)
        } else {
            try LayerExport(layout: store.layout).write(diffID) { bytes in
                try naming("write a layer's tar") { try file.file.fd.writeAll(bytes) }
            }
            new = Made(file: file, digest: diffID, size: layer.tarSize)
        }
        made.withLock { $0[key] = new }
        return new
    }

    // MARK: - Sending

    private func upload(_ path: FilePath, _ digest: Digest, _ size: UInt64, of diffID: Digest) throws {
        // One layer can be in an image twice.
        guard there.withLock({ !$0.contains(digest) }) else { return }
        try client.upload(digest, size: size, from: path) { done in
            report(.sending(diffID, done: done, total: size))
        }
        report(.sent(diffID, size: size))
        there.withLock { _ = $0.insert(digest) }
    }

    private func sendConfig(of record: ImageRecord) throws { try send(document: record.config) }

    /// A small blob.
    func send(document: [UInt8]) throws {
        let (digest, size) = (SHA256.digest(of: document), UInt64(document.count))
        guard try !client.holds(digest, size: size) else { return }
        let file = try NamelessFile(in: store.layout)
        try naming("write a config") { try file.file.fd.writeAll(document) }
        try withExtendedLifetime(file) {
            try client.upload(digest, size: size, from: file.path) { _ in }
        }
    }
}
