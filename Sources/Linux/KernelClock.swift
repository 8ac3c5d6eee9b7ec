package import Glibc

/// The clocks of clock_gettime(2).
package enum KernelClock {
    /// In nanoseconds: since 1970 (CLOCK_REALTIME), or since some moment of this machine's (CLOCK_MONOTONIC,
    /// CLOCK_BOOTTIME).
    package static func now(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
