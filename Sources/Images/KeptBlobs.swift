import Digests
import Layers
import Linux
import OCI
import SystemPackage

import Glibc

/// Blobs of pulled layers as they came, compressed by another program: mica's compressor would give other bytes, and
/// a manifest has the digest of these.
struct KeptBlobs: Sendable {
    private let directory: FilePath

    /// The directory is made where it is missing.
    init(_ layout: StoreLayout) throws {
        directory = layout.blobs
        let directory = directory
        try naming("create \(directory)") { try directory.makeDirectories(mode: 0o700) }
    }

    func path(of digest: Digest) -> FilePath { directory.appending(digest.hex) }

    /// nil where it is not there. Of the right size; whether its bytes are right, `isWhole` says.
    func file(_ digest: Digest, size: UInt64) -> FilePath? {
        let path = path(of: digest)
        guard let status = try? path.status(), status.st_mode & S_IFMT == S_IFREG,
            UInt64(clamping: status.st_size) == size
        else { return nil }
        return path
    }

    /// Whether its bytes are those of its digest: where not, it goes.
    func isWhole(_ digest: Digest) throws -> Bool {
        let path = path(of: digest)
        let found = try naming("read \(path)") { () throws -> Digest in
            let file = try OwnedFD.open(path, O_RDONLY | O_NOFOLLOW)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
            defer { buffer.deallocate() }
            var hash = SHA256()
            while case let count = try file.read(into: buffer), count > 0 {
                hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            return hash.finish()
        }
        if found != digest { try? path.unlink() }
        return found == digest
    }
}
