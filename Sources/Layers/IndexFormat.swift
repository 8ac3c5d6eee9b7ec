/// The index file: version 1 for a layer's, 2 for a chain's. Little-endian, sections 8-byte aligned, written once
/// and never changed.
///
/// ```
/// header    256 bytes: "micaidx\n" · version u32 · kind u32 · file size u64 · header CRC u32 · body CRC u32 ·
///           seven sections (offset u64, size in bytes u64) · zeros
/// inodes    InodeRecord, 72 bytes each; number 0 is the root
/// entries   24 bytes each, sorted by name within a directory:
///           first 8 name bytes, big-endian, zero-padded u64 · name offset u32 · inode u32 ·
///           name length u16 · kind u8 (DT_*, whiteout 14) · 0 u8 · 0 u32
/// names     the bytes of names and of symbolic links' targets, back to back
/// xattrs    lists: count u32, then per attribute name length u16 · value length u32 · name · value
/// objects   40 bytes each: sha256 · size u64; everything the layer's recipe needs, whether or not a file
///           in the index still refers to it
/// layers    32 bytes each: diffIDs, bottom to top
/// links     of a chain only, 8 bytes each: slot of an entry u32 · the directory that it is in u32; those of a file
///           with several names are next to each other, in the order of slots
/// ```
/// The checksums are CRC-32C: the header's is of the header with that field zero, the body's of all after it.
enum IndexFormat {
    static let magic: UInt64 = 0x0a78_6469_6163_696d  // "micaidx\n" read little-endian
    static let headerSize = 256
    static let headerChecksum = 24
    static let bodyChecksum = 28
    static let sections = 32
    static let entryStride = 24
    static let objectStride = 40

    static let linkStride = 8

    enum Section: Int, CaseIterable { case inodes, entries, names, xattrs, objects, layers, links }
}

extension IndexKind {
    /// Layers keep the version they were written in. A chain is a cache: version 2 leads from an inode back to its
    /// names.
    var version: UInt32 {
        switch self {
        case .layer: 1
        case .chain: 2
        }
    }
}

/// The kind of tree that an index describes.
package enum IndexKind: UInt32, Sendable {
    /// One layer, whiteouts and opaque marks included.
    case layer = 1
    /// A folded stack, without whiteouts.
    case chain = 2
}

/// Where the bytes of a regular file or of a symbolic link are.
package enum ContentKind: UInt8, Sendable {
    case none
    /// `content` is the offset in the pack of the inode's layer.
    case packed
    /// `content` is the number of the object.
    case object
    /// `content` is the offset in the section of names.
    case inline
}

/// One inode, as it is on disk.
package struct InodeRecord: BitwiseCopyable, Sendable {
    /// st_mode: type and permission bits.
    package var mode: UInt32 = 0
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    /// The number of a file's names; of a directory, 2 and one for each subdirectory.
    package var nlink: UInt32 = 0
    /// In bytes; the length of a symbolic link's target.
    package var size: UInt64 = 0
    package var mtimeSeconds: Int64 = 0
    package var mtimeNanoseconds: UInt32 = 0
    /// The kernel's 32-bit encoding (new_encode_dev): minor & 0xff | major << 8 | (minor & ~0xff) << 12.
    package var rdev: UInt32 = 0
    /// Its meaning depends on `contentKind`. For a directory in a chain, the slot of its name.
    package var content: UInt64 = 0
    /// Offset of the list in the section of xattrs, plus 1; 0 for none.
    package var xattrs: UInt32 = 0
    /// For a directory, the slots of its entries. For any other inode of a chain, its names: with one name its slot,
    /// and no count; with several the first of `links`, and how many.
    package var firstEntry: UInt32 = 0
    package var entryCount: UInt32 = 0
    /// The directory that a directory is in. For a file with several names, that of the first one.
    package var parent: UInt32 = 0
    /// The position of the layer that it came from, 0 at the bottom.
    package var layer: UInt16 = 0
    package var contentKind: UInt8 = 0
    package var flags: UInt8 = 0
    /// For a file with holes, 1 and the blocks of 512 bytes that its data takes; 0 for any other.
    private var allocated: UInt32 = 0

    package init() {}

    static let stride = 72

    /// The directory hides everything that lower layers have in it.
    package static let opaque: UInt8 = 1
    /// The tar does not have this directory, only something in it: it takes its attributes from below, if there are
    /// any; and if there is a symbolic link below, its entries go where the link leads.
    package static let implied: UInt8 = 2
    /// A hard link to a file that only the layers below have: `content` and `size` locate its path, from the root.
    package static let deferredLink: UInt8 = 4
    /// On a layer's root: there are implied directories below it.
    static let omitsDirectories: UInt8 = 8
    /// On a layer's root: there are deferred links.
    static let defersLinks: UInt8 = 16

    package var isOpaque: Bool { flags & InodeRecord.opaque != 0 }
    package var isImplied: Bool { flags & InodeRecord.implied != 0 }
    package var isDeferredLink: Bool { flags & InodeRecord.deferredLink != 0 }
    var omitsDirectories: Bool { flags & InodeRecord.omitsDirectories != 0 }
    /// On a layer's root: whether there are hard links that only the layers below can resolve.
    package var defersLinks: Bool { flags & InodeRecord.defersLinks != 0 }
    package var isDirectory: Bool { mode & 0o170000 == 0o040000 }
    package var isRegular: Bool { mode & 0o170000 == 0o100000 }
    package var isSymlink: Bool { mode & 0o170000 == 0o120000 }

    /// The st_blocks of a file, in units of 512 bytes.
    package var blocks: UInt64 {
        guard isRegular else { return 0 }
        return allocated > 0 ? UInt64(allocated) - 1 : size / 512 + (size % 512 == 0 ? 0 : 1)
    }

    /// `data`: how many bytes of a file are not in holes.
    package mutating func setAllocated(data: UInt64) {
        allocated = UInt32(clamping: data / 512 + (data % 512 == 0 ? 0 : 1) + 1)
    }

    /// DT_*: the type bits of `mode`, shifted.
    package var kind: UInt8 { UInt8(truncatingIfNeeded: mode >> 12 & 15) }

    /// The slots of a directory's entries, if they make sense; none for any other inode.
    package var entries: Range<UInt32> {
        guard isDirectory else { return 0..<0 }
        return firstEntry..<(firstEntry &+ entryCount < firstEntry ? firstEntry : firstEntry &+ entryCount)
    }
}

/// A name in a directory. `name` points into the mapping and lives as long as the index.
package struct IndexEntry {
    package let name: UnsafeRawBufferPointer
    package let inode: UInt32
    /// DT_*, or `whiteout`.
    package let kind: UInt8

    /// DT_WHT: the name does not exist here and hides what is below.
    package static let whiteout: UInt8 = 14

    package var isWhiteout: Bool { kind == IndexEntry.whiteout }
}
