package import SystemPackage

import Glibc
import Linux

package enum MountInfo {
    /// What /proc/self/mountinfo says. (Foundation reads the first page of such a file only.)
    package static func text() throws(Errno) -> String {
        String(
            decoding: try OwnedFD.open("/proc/self/mountinfo", O_RDONLY).contents(limit: 64 << 20),
            as: UTF8.self
        )
    }
}
