package import Digests
import Linux
package import SystemPackage

import Glibc

/// Contents shared by all layers: read-only files named by a digest.
///
/// The name of a plain content is its SHA-256. A content with holes is named by `sparseName`, so that neither
/// making nor checking the name walks through a hole of terabytes.
package struct ObjectStore: Sendable {
    private let layout: StoreLayout

    package init(_ layout: StoreLayout) { self.layout = layout }

    /// Whether the store has this object, whole. One of another size is damaged and counts as absent.
    package func contains(_ digest: Digest, size: UInt64) throws -> Bool {
        let path = layout.object(digest)
        return try naming("look for the object \(path)") {
            do {
                let status = try path.status()
                return status.st_mode & S_IFMT == S_IFREG && UInt64(status.st_size) == size
            } catch Errno.noSuchFileOrDirectory {
                return false
            }
        }
    }

    /// Gives a staged, synced file its name. One that is there already stays: somebody may have it open.
    package func adopt(_ staged: FilePath, as digest: Digest, size: UInt64) throws {
        let path = layout.object(digest)
        do {
            do {
                try staged.renameWithoutReplacing(path)
            } catch Errno.noSuchFileOrDirectory {
                try path.removingLastComponent().makeDirectory(mode: 0o700)
                try staged.renameWithoutReplacing(path)
            }
        } catch Errno.fileExists {
            if try contains(digest, size: size) { return }
            try naming("replace the damaged object \(path)") { try staged.rename(to: path) }
        } catch {
            throw Failure("name the object \(path)", error)
        }
    }
}

extension ObjectStore {
    /// Starts the hash that names a content with holes: of
    /// `"mica sparse content 1\n"`, its size, the number of extents, and each one's offset and length
    /// (u64, little-endian); the extents' bytes follow, back to back.
    static func sparseName(size: UInt64, extents: [(offset: UInt64, length: UInt64)]) -> SHA256 {
        var hash = SHA256()
        var header = Array("mica sparse content 1\n".utf8)
        func put(_ value: UInt64) {
            withUnsafeBytes(of: value.littleEndian) { header.append(contentsOf: $0) }
        }
        put(size)
        put(UInt64(extents.count))
        for extent in extents {
            put(extent.offset)
            put(extent.length)
        }
        header.withUnsafeBytes { hash.update($0) }
        return hash
    }
}
