package import SystemPackage

import Glibc

extension OwnedFD {
    /// Creates a new file, mode 0600, and replaces the six X at the end of `path` by the rest of its name.
    package static func create(unique path: inout FilePath) throws(Errno) -> OwnedFD {
        var template = path.withPlatformString {
            Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
        }
        let fd = OwnedFD(adopting: try Errno.check(mkstemp(&template)))
        try Errno.check(fcntl(fd.raw, F_SETFD, FD_CLOEXEC))
        path = FilePath(platformString: template)
        return fd
    }
}
