/// How much of one layer mica holds in memory. The limits are beyond any real image, and small enough that a hostile
/// tar fails with a message: at these limits an import takes some 600 MB for entries, or 150 MB for names.
package struct ImportLimits: Sendable {
    /// Entries of the tar, and the directories that they imply.
    package var entries: Int
    /// Names and targets of symbolic links, in bytes.
    package var nameBytes: Int
    /// Names and values of extended attributes, in bytes.
    package var xattrBytes: Int
    /// Bytes of one file, holes included: ext4's limit.
    package var fileSize: UInt64

    package init(entries: Int, nameBytes: Int, xattrBytes: Int, fileSize: UInt64) {
        self.entries = entries
        self.nameBytes = nameBytes
        self.xattrBytes = xattrBytes
        self.fileSize = fileSize
    }

    package static let standard = ImportLimits(
        entries: 1_000_000,
        nameBytes: 64 << 20,
        xattrBytes: 32 << 20,
        fileSize: 16 << 40 - 4096
    )
}
