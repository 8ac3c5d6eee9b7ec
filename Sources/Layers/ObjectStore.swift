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

    /// Whether the store has this object, whole: all of it is read, and compared with its name. `extents`: where it has
    /// data; nil: everywhere. One that is damaged, or can't be read, counts as absent.
    package func contains(
        _ digest: Digest,
        size: UInt64,
        extents: [(offset: UInt64, length: UInt64)]? = nil
    ) throws -> Bool {
        let path = layout.object(digest)
        return try naming("read the object \(path)") {
            do {
                return try ObjectCheck(path).isWhole(digest, size: size, extents: extents)
            } catch Errno.noSuchFileOrDirectory {
                return false
            } catch let errno as Errno where ObjectStore.isDamage(errno) {
                return false
            }
        }
    }

    /// EIO, and what filesystems say that find their own checksums wrong; ELOOP of what is a symbolic link.
    static func isDamage(_ errno: Errno) -> Bool {
        [EIO, EUCLEAN, EBADMSG, EILSEQ, ELOOP].contains(errno.rawValue)
    }

    /// Gives a staged, synced file its name, in place of what has it: the staged one is known to be whole, and who has
    /// the other one open keeps it.
    package func adopt(_ staged: FilePath, as digest: Digest) throws {
        let path = layout.object(digest)
        do {
            do {
                try staged.rename(to: path)
            } catch Errno.noSuchFileOrDirectory {
                try path.removingLastComponent().makeDirectory(mode: 0o700)
                try staged.rename(to: path)
            }
        } catch {
            throw Failure("name the object \(path)", error)
        }
    }

    /// Lets the kernel check every read of a staged object against its name, where the filesystem can. Returns false
    /// where it can't: then it need not be asked for others. Failure where what is on disk is not what was written.
    func protect(_ staged: FilePath, as digest: Digest) throws -> Bool {
        let file = try naming("open \(staged)") { try OwnedFD.open(staged, O_RDONLY) }
        do throws(Errno) {
            try file.enableVerity()
        } catch {
            return false
        }
        // The kernel has read it again for that. What has holes has a name of another kind.
        guard let measured = file.verityDigest(), measured != digest.bytes else { return true }
        throw Failure(
            "the object \(digest) came out as another one when it was read again",
            advice: "Check the disk."
        )
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
