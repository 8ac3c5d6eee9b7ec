package import SystemPackage

import CLinux
import Glibc

/// Blocks of a file that are allocated on disk but were never written.
extension OwnedFD {
    /// The ranges below `end` that are allocated on disk and were never written, as far as that is on disk. Empty
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

    /// The blocks below `end` that are allocated but have no data: a power cut leaves those that were just being
    /// written in that state.
    ///
    /// They are zeros, and holes to lseek(2), until a process reads them: from then on lseek(2) takes their pages in
    /// the page cache for data (`iomap_seek_hole` in fs/iomap/seek.c, of ext4 and XFS). Dirty data is written first.
    package func blocksWithoutData(below end: UInt64) throws(Errno) -> [Range<UInt64>] {
        guard try !unwritten(below: end).isEmpty else { return [] }
        try synchronize()
        return try unwritten(below: end)
    }
}
