import Linux

import Glibc

extension OwnedFD {
    /// Whether the process of this pidfd has ended.
    var hasEnded: Bool {
        use { raw in
            var watched = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            return poll(&watched, 1, 0) == 1
        }
    }
}
