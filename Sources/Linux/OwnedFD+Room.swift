import Glibc

extension OwnedFD {
    /// How many bytes a process without privileges may still write to this file's filesystem; nil where that is
    /// unknown. Quotas are not considered.
    package var room: UInt64? {
        var statistics = statvfs()
        guard use({ fstatvfs($0, &statistics) }) == 0 else { return nil }
        let (bytes, isHuge) = UInt64(statistics.f_bavail).multipliedReportingOverflow(
            by: UInt64(statistics.f_frsize)
        )
        return isHuge ? .max : bytes
    }
}
