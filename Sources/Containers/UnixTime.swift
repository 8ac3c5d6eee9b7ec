import Glibc
import Linux

/// Unix nanoseconds, UTC.
package enum UnixTime {
    package static var now: Int64 { KernelClock.now(CLOCK_REALTIME) }

    /// When this machine booted.
    static var boot: Int64 { now - KernelClock.now(CLOCK_BOOTTIME) }
}
