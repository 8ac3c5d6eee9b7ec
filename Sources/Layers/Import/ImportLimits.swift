/// What one layer may make mica hold in memory. Beyond any real image, and small enough that a tar made to
/// hurt fails with a message: at these limits an import takes some 600 MB for entries, or 150 MB for names.
package struct ImportLimits: Sendable {
    /// Entries of the tar, and the directories they imply.
    package var entries: Int
    /// Names and targets of symbolic links, in bytes.
    package var nameBytes: Int
    /// Names and values of extended attributes, in bytes.
    package var xattrBytes: Int
    /// Bytes of one file, holes included: what ext4 takes.
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
