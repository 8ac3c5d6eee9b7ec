package import SystemPackage

import CLinux
import Glibc

/// Blocks of a file that have their place on the disk, and nothing in it.
extension OwnedFD {
    /// Below `end`, what has its place on the disk and was never written, as far as that was brought to the disk. Empty
    /// where the filesystem can't tell.
    package func unwritten(below end: UInt64) throws(Errno) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        var (start, stop): (UInt64, UInt64) = (0, 0)
        while start < end {
            let result = use { clinux_next_unwritten($0, &start, &stop, end) }
            if [EOPNOTSUPP, ENOTTY, EINVAL, ENOSYS].contains(-result) { return [] }
            guard result >= 0 else { throw Errno(rawValue: -result) }
            guard result > 0 else { break }
            found.append(start..<stop)
            start = stop
        }
        return found
    }

    /// Below `end`, blocks that have no data though they have their place on the disk, which is what a power cut leaves of
    /// those that were just being written.
    ///
    /// They are zeros, and holes for lseek(2), but only until somebody reads them: then it takes what is in the page cache
    /// for data (`iomap_seek_hole` in fs/iomap/seek.c, of ext4 and XFS). What is still to be written is written first.
    package func blocksWithoutData(below end: UInt64) throws(Errno) -> [Range<UInt64>] {
        guard try !unwritten(below: end).isEmpty else { return [] }
        try synchronize()
        return try unwritten(below: end)
    }
}
