package import Glibc

/// The state of a filesystem, as statfs(2) shows it, in blocks of `blockSize` bytes.
package struct FilesystemStatus: Sendable {
    package var blockSize: UInt64 = 4096
    package var blocks: UInt64 = 0
    package var freeBlocks: UInt64 = 0
    package var availableBlocks: UInt64 = 0
    package var files: UInt64 = 0
    package var freeFiles: UInt64 = 0
    package var nameLength: UInt64 = 255

    package init() {}

    package init(_ status: statvfs) {
        blockSize = UInt64(status.f_frsize)
        blocks = UInt64(status.f_blocks)
        freeBlocks = UInt64(status.f_bfree)
        availableBlocks = UInt64(status.f_bavail)
        files = UInt64(status.f_files)
        freeFiles = UInt64(status.f_ffree)
    }
}
