package import Digests
import Linux
package import SystemPackage

import Glibc

/// Contents shared by all layers: read-only files named by a digest.
///
/// The name of a plain content is its fs-verity digest (`TreeHash`). A content with holes is named by its map and
/// its data, so that neither making nor checking the name walks through a hole of terabytes.
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
    /// What a content of `size` bytes is called whose `extents` hold, back to back, what has the digest `data`. With
    /// holes, the SHA-256 of `"mica sparse content 2\n"`, the size, the number of extents, each one's offset and
    /// length (u64, little-endian), and `data`.
    static func name(of data: Digest, size: UInt64, extents: [(offset: UInt64, length: UInt64)]) -> Digest {
        if extents.count == 1, extents[0].offset == 0, extents[0].length == size { return data }
        var text = Array("mica sparse content 2\n".utf8)
        func put(_ value: UInt64) {
            withUnsafeBytes(of: value.littleEndian) { text.append(contentsOf: $0) }
        }
        put(size)
        put(UInt64(extents.count))
        for extent in extents {
            put(extent.offset)
            put(extent.length)
        }
        return SHA256.digest(of: text + data.bytes)
    }
}
