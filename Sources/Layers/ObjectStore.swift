package import Digests
import Linux
package import SystemPackage

import Glibc

/// Contents shared by all layers: read-only files named by a digest.
///
/// A plain content is named by its fs-verity digest (`TreeHash`), one with holes by its map and its data, so that
/// neither making nor checking the name reads through a hole of terabytes.
package struct ObjectStore: Sendable {
    private let layout: StoreLayout

    package init(_ layout: StoreLayout) { self.layout = layout }

    /// Whether the store has this object, whole: reads all of it, and compares it with its name. `extents`: where it
    /// has data; nil: everywhere. A damaged or unreadable object counts as absent.
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

    /// Gives an object a second name. False where it has gone meanwhile, or the filesystem gives it none.
    func link(_ digest: Digest, to path: FilePath) -> Bool {
        layout.object(digest).withPlatformString { old in path.withPlatformString { Glibc.link(old, $0) == 0 }
        }
    }

    /// EIO, and the errors of filesystems that find their own checksums wrong; ELOOP for a symbolic link.
    static func isDamage(_ errno: Errno) -> Bool {
        [EIO, EUCLEAN, EBADMSG, EILSEQ, ELOOP].contains(errno.rawValue)
    }

    /// Gives a staged, synced file its name, in place of another that has it: the staged one is known to be whole,
    /// and processes that have the other one open keep it.
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

    /// Makes the kernel check every read of a staged object against its name. False where the filesystem can't, so
    /// that others need not be tried. Failure where the disk returns something else than was written.
    func protect(_ staged: FilePath, as digest: Digest) throws -> Bool {
        let file = try naming("open \(staged)") { try OwnedFD.open(staged, O_RDONLY) }
        do throws(Errno) {
            try file.enableVerity()
        } catch {
            return false
        }
        // For the digest the kernel has read the file again. The name of a file with holes is of another kind.
        guard let measured = file.verityDigest(), measured != digest.bytes else { return true }
        throw Failure(
            "the object \(digest) came out as another one when it was read again",
            advice: "Check the disk."
        )
    }
}

extension ObjectStore {
    /// The name of a content of `size` bytes, in whose `extents` lies, back to back, data with the digest `data`.
    /// With holes, it is the SHA-256 of `"mica sparse content 2\n"`, the size, the number of extents, each one's
    /// offset and length (u64, little-endian), and `data`.
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
