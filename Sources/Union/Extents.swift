import Glibc
import Linux
import SystemPackage

/// Which parts of a file have data, and which are holes, as the filesystem says (lseek(2)).
extension OwnedFD {
    /// Where the first data at or behind `offset` begins; nil where the file has none from there on.
    func data(from offset: UInt64) throws(Errno) -> UInt64? { try seek(offset, SEEK_DATA) }

    /// Where the first hole at or behind `offset` begins: the file's end at the latest. nil from there on.
    func hole(from offset: UInt64) throws(Errno) -> UInt64? { try seek(offset, SEEK_HOLE) }

    private func seek(_ offset: UInt64, _ whence: CInt) throws(Errno) -> UInt64? {
        let found = use { lseek($0, off_t(clamping: offset), whence) }
        if found >= 0 { return UInt64(found) }
        guard Errno.last == .noSuchAddressOrDevice else { throw .last }
        return nil
    }
}
