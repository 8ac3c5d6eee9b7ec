import Glibc

/// Unix nanoseconds, UTC.
package enum UnixTime {
    package static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// When this machine started.
    static var boot: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return now - (Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
