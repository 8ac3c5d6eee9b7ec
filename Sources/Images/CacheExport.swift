package import OCI
package import Snapshots
package import SystemPackage

import Layers
import Linux
import Registry

import Glibc

/// Writes layers of the store with a document that tells of them, as one manifest, to a registry or a layout.
package struct CacheExport: Sendable {
    package typealias Content = (document: [UInt8], mediaType: String, layers: [Digest])
    private let store: Store

    package init(store: Store) { self.store = store }

    /// The tag names it at the end. `covering` runs its second argument, and may call the first one meanwhile, which ends it.
    package func push(
        _ content: Content,
        to destination: ImageReference,
        covering: (@escaping @Sendable () -> Void, () throws -> Void) throws -> Void
    ) throws {
        guard let tag = destination.tag, destination.digest == nil else {
            throw Failure("\(destination.familiar): a digest can't be pushed to, only a tag")
        }
        let lease = try hold(content.layers)
        defer { lease.end() }
        var opening = RegistryMessage.Opening(destination)
        opening.isToRead = false
        let client = try RegistryClient(opening)
        defer { client.close() }
        try covering({ client.stop() }) {
            let blobs = try PushedBlobs(store, client, destination, format: .gzip) { _ in }
            let layers = try content.layers.map { try blobs.sendAnew($0) }
            try blobs.send(document: content.document)
            let manifest = try JSONDocument.encode(CacheExport.manifest(content, layers))
            try client.put(tag, mediaType: MediaType.manifest, manifest)
        }
    }

    /// Into a directory that may be there, and have an earlier one. Its index names it at the end.
    package func write(_ content: Content, into directory: FilePath) throws {
        let lease = try hold(content.layers)
        defer { lease.end() }
        let blobs = directory.appending("blobs").appending("sha256")
        try naming("create \(blobs)") { try blobs.makeDirectories() }
        func add(_ bytes: [UInt8]) throws -> Digest {
            let digest = SHA256.digest(of: bytes)
            try naming("write \(blobs)") {
                try blobs.appending(digest.hex).replace(with: bytes, mode: 0o644, durably: false)
            }
            return digest
        }
        let layers = try content.layers.map { try write($0, into: blobs) }
        _ = try add(content.document)
        let manifest = try JSONDocument.encode(CacheExport.manifest(content, layers))
        let entry = Descriptor(
            mediaType: MediaType.manifest,
            digest: try add(manifest),
            size: UInt64(manifest.count),
            annotations: [Annotation.refName: "latest"]
        )
        try naming("write \(directory)") {
            try directory.appending("oci-layout").replace(
                with: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8),
                mode: 0o644,
                durably: false
            )
        }
        let index = try JSONDocument.encode(Index(manifests: [entry]))
        try naming("write \(directory)") {
            try directory.appending("index.json").replace(with: index, mode: 0o644, durably: false)
        }
    }

    private func hold(_ layers: [Digest]) throws -> LayerLease {
        let lock = try store.lockForChange()
        defer { withExtendedLifetime(lock) {} }
        return try LayerLease(
            store,
            for: "push",
            layers: layers.map { diffID in
                guard let layer = try store.layer(diffID) else {
                    throw Failure("layer \(diffID) has gone from the store")
                }
                return layer
            }
        )
    }

    private static func manifest(_ content: Content, _ layers: [Descriptor]) -> Manifest {
        Manifest(
            config: Descriptor(
                mediaType: content.mediaType,
                digest: SHA256.digest(of: content.document),
                size: UInt64(content.document.count)
            ),
            layers: layers
        )
    }

    private func write(_ diffID: Digest, into blobs: FilePath) throws -> Descriptor {
        let type = "\(MediaType.layer)+gzip"
        // The same layer gives the same bytes each time: an earlier export may have left them.
        for known in try store.blobs(of: diffID) where known.isVerified && known.mediaType == type {
            let status = try? blobs.appending(known.digest.hex).status()
            guard let status, UInt64(clamping: status.st_size) == known.size else { continue }
            return Descriptor(mediaType: type, digest: known.digest, size: known.size)
        }
        var path = blobs.appending("new-XXXXXX")
        let file = try naming("create a file in \(blobs)") { try OwnedFD.create(unique: &path) }
        do {
            let compression = LayerCompression(layout: store.layout, format: .gzip)
            let (digest, size) = try compression.write(diffID, to: file) { _ in }
            try naming("write \(blobs)") {
                _ = try file.use { try Errno.check(fchmod($0, 0o644)) }
                try path.rename(to: blobs.appending(digest.hex))
            }
            return Descriptor(mediaType: type, digest: digest, size: size)
        } catch {
            try? path.unlink()
            throw error
        }
    }
}
