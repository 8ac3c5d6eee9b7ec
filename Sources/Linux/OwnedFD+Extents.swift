package import Glibc
package import SystemPackage

/// The data ranges and holes of a file, as the filesystem reports them (lseek(2)).
extension OwnedFD {
    /// Where the first data at or behind `offset` begins; nil where the file has none from there on.
    package func data(from offset: UInt64) throws(Errno) -> UInt64? { try seek(offset, SEEK_DATA) }

    /// Where the first hole at or behind `offset` begins: the file's end at the latest. nil from there on.
    package func hole(from offset: UInt64) throws(Errno) -> UInt64? { try seek(offset, SEEK_HOLE) }

    private func seek(_ offset: UInt64, _ whence: CInt) throws(Errno) -> UInt64? {
        do throws(Errno) {
            return UInt64(try seekExtent(off_t(clamping: offset), whence))
        } catch .noSuchAddressOrDevice {
            return nil
        }
    }

    /// lseek(2) with SEEK_DATA or SEEK_HOLE.
    ///
    /// On ext4 with inline_data, ENOENT means that the offset is behind the inline part of a file that has outgrown
    /// it, until that part is written back (ext4_iomap_begin_report in fs/ext4/inode.c).
    package func seekExtent(_ offset: off_t, _ whence: CInt) throws(Errno) -> off_t {
        do throws(Errno) {
            return try Errno.check(use { lseek($0, offset, whence) })
        } catch .noSuchFileOrDirectory {
            try Errno.check(use { fdatasync($0) })
            return try Errno.check(use { lseek($0, offset, whence) })
        }
    }
}
