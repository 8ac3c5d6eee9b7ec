import CLinux
import Glibc

/// Flags that glibc declares for _GNU_SOURCE only.

/// open(2): a descriptor that only refers to the file.
package let O_PATH = CInt(CLINUX_O_PATH)
package let AT_EMPTY_PATH = CInt(CLINUX_AT_EMPTY_PATH)
/// lseek(2).
package let SEEK_DATA = CInt(CLINUX_SEEK_DATA)
package let SEEK_HOLE = CInt(CLINUX_SEEK_HOLE)
/// utimensat(2), for tv_nsec.
package let UTIME_NOW = Int(CLINUX_UTIME_NOW)
package let UTIME_OMIT = Int(CLINUX_UTIME_OMIT)
