import Glibc

extension OwnedFD {
    /// Bytes that somebody without privileges may still write to the filesystem that this is in; nil where it can't say.
    /// A quota is not in it.
    package var room: UInt64? {
        var statistics = statvfs()
        guard use({ fstatvfs($0, &statistics) }) == 0 else { return nil }
        let (bytes, isHuge) = UInt64(statistics.f_bavail).multipliedReportingOverflow(
            by: UInt64(statistics.f_frsize)
        )
        return isHuge ? .max : bytes
    }
}
