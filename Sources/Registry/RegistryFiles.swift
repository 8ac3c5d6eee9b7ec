package import Digests
package import OCI
package import SystemPackage

import Glibc
import Linux
import Synchronization

/// An image of a registry as a layout: documents are fetched when they are asked for, layers arrive while they are read.
///
/// A layer's blob is brought into a file of `directory`, named by its digest; a pull continues with what an earlier one has
/// left there. The import that reads a blob verifies its digest, and calls `finish` or `discard`.
package final class RegistryFiles: ImageFiles, @unchecked Sendable {
    // Safe to share: `kinds` is guarded by its lock.
    package let name: String
    private let client: RegistryClient
    private let directory: FilePath
    /// The store's.
    private let lock: FilePath
    private let index: [UInt8]
    private let root: (digest: Digest, bytes: [UInt8])

    private enum Kind { case manifest, document(UInt64), layer(UInt64) }
    /// What the documents so far say of others.
    private let kinds = Mutex<[Digest: Kind]>([:])
    private let arriving = Mutex<[Digest: Arriving]>([:])
    /// Files that no other pull goes on with.
    private let own = Mutex<[FilePath]>([])

    /// Fetches what `reference` names in the client's repository. `directory`: of the store's, where blobs may stay for a
    /// while. `lock`: the store's, which is held for moments.
    package init(
        _ client: RegistryClient,
        _ reference: ImageReference,
        directory: FilePath,
        lock: FilePath
    ) throws {
        self.client = client
        self.directory = directory
        self.lock = lock
        name = reference.familiar
        let wanted = reference.digest?.description ?? reference.tag ?? "latest"
        let (mediaType, bytes) = try client.manifest(wanted)
        root = (SHA256.digest(of: bytes), bytes)
        if let digest = reference.digest, digest != root.digest {
            throw Failure("\(name): the registry sent \(root.digest) for it")
        }
        index = try JSONDocument.encode(
            Index(manifests: [
                Descriptor(
                    mediaType: mediaType,
                    digest: root.digest,
                    size: UInt64(bytes.count),
                    annotations: [Annotation.imageName: reference.familiar]
                )
            ])
        )
        note(bytes)
    }

    deinit { for path in own.withLock({ $0 }) { try? path.unlink() } }

    package func file(_ name: String) throws -> BlobFile? {
        switch name {
        case "oci-layout": return try document(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        case "index.json": return try document(index)
        default: break
        }
        let prefix = "blobs/sha256/"
        guard name.hasPrefix(prefix), let digest = Digest(hex: name.dropFirst(prefix.count)) else {
            return nil
        }
        if digest == root.digest { return try document(root.bytes) }
        switch kinds.withLock({ $0[digest] }) {
        case nil: return nil
        case .manifest:
            let bytes = try client.manifest(digest.description).bytes
            note(bytes)
            return try document(bytes)
        case .document(let size): return try document(try client.document(digest, size: size))
        case .layer(let size): return try layer(digest, size)
        }
    }

    /// A blob is whole and right: its file gets the name `path`, or none.
    package func finish(_ digest: Digest, as path: FilePath?) {
        guard let arrived = arriving.withLock({ $0[digest]?.path }) else { return }
        if let path, (try? arrived.rename(to: path)) != nil { return }
        try? arrived.unlink()
    }

    /// For a blob of a layer that the store has: its file, which a pull has left that was killed after it had read it, gets
    /// the name `path` if it has `size` bytes; otherwise it goes. Returns whether `path` is new: its digest is not verified.
    package func settle(_ digest: Digest, size: UInt64, as path: FilePath?) -> Bool {
        let file = directory.appending(digest.hex)
        // One that is locked is another pull's.
        guard let fd = try? OwnedFD.open(file, O_RDONLY | O_NOFOLLOW),
            fd.use({ flock($0, LOCK_EX | LOCK_NB) }) == 0
        else { return false }
        let isWhole = (try? fd.status()).map { Int64($0.st_size) == Int64(clamping: size) } ?? false
        if let path, isWhole, !path.exists, (try? file.rename(to: path)) != nil { return true }
        try? file.unlink()
        return false
    }

    /// What was read of a blob is no good: it is not kept, unless the reason is that the rest did not come.
    ///
    /// Whether it began with what an earlier pull had left.
    package func discard(_ digest: Digest) -> Bool {
        guard let arrival = arriving.withLock({ $0[digest] }), !arrival.download.hasFailed else {
            return false
        }
        try? arrival.path.unlink()
        return arrival.isOld
    }

    /// A blob's file, and who brings it.
    private struct Arriving {
        let path: FilePath
        /// It had something of the blob already.
        let isOld: Bool
        /// Locked: one pull at a time goes on with it.
        let file: BlobFile.Shared
        let download: BlobDownload
    }

    private func layer(_ digest: Digest, _ size: UInt64) throws -> BlobFile {
        let (path, file) = try claim(digest)
        // More than there should be is something else.
        if try file.fd.status().st_size > Int64(clamping: size) { try file.fd.truncate(to: 0) }
        let isOld = try file.fd.status().st_size > 0
        let download = try client.download(digest, size: size, into: path)
        arriving.withLock {
            $0[digest] = Arriving(path: path, isOld: isOld, file: file, download: download)
        }
        return BlobFile(file, size: size, arrival: download)
    }

    /// The file that has what came of a blob before; or a new one, where another pull is about it.
    private func claim(_ digest: Digest) throws -> (FilePath, BlobFile.Shared) {
        let path = directory.appending(digest.hex)
        // A collection takes what no pull has locked.
        let held = try naming("lock \(lock)") { try FileLock(lock, .shared) }
        defer { withExtendedLifetime(held) {} }
        return try naming("create \(path)") {
            while true {
                let fd = try OwnedFD.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
                guard fd.use({ flock($0, LOCK_EX | LOCK_NB) }) == 0 else {
                    var other = directory.appending("\(digest.hex)-XXXXXX")
                    let fd = try OwnedFD.create(unique: &other)
                    try Errno.retrying { flock(fd.raw, LOCK_EX) }
                    own.withLock { $0.append(other) }
                    return (other, BlobFile.Shared(fd))
                }
                // The last one to lock it may have removed it.
                let (mine, there) = (try fd.status(), try? path.status())
                guard let there, there.st_ino == mine.st_ino else { continue }
                return (path, BlobFile.Shared(fd))
            }
        }
    }

    /// A document as a file without a name.
    private func document(_ bytes: [UInt8]) throws -> BlobFile {
        var path = directory.appending("document-XXXXXX")
        let fd = try naming("create a file in \(directory)") { try OwnedFD.create(unique: &path) }
        // Or a collection has removed the name already.
        try? path.unlink()
        try naming("write to \(directory)") { try fd.writeAll(bytes) }
        return BlobFile(BlobFile.Shared(fd), offset: 0, size: UInt64(bytes.count))
    }

    /// Notes what a document refers to. One that can't be read is refused where it is read for an image.
    private func note(_ bytes: [UInt8]) {
        if let index = try? JSONDocument.decode(Index.self, from: bytes, name: ""), !index.manifests.isEmpty {
            kinds.withLock { kinds in for entry in index.manifests { kinds[entry.digest] = .manifest } }
        }
        guard let manifest = try? JSONDocument.decode(Manifest.self, from: bytes, name: "") else { return }
        kinds.withLock { kinds in
            kinds[manifest.config.digest] = .document(manifest.config.size)
            for layer in manifest.layers { kinds[layer.digest] = .layer(layer.size) }
        }
    }
}
