import Linux
package import SystemPackage

import Glibc

/// Keeps a file or a directory of tmp/ or arrivals/ from collections while its owner works with it, maybe waiting for a
/// network, without the store's lock. An flock(2) on it, which the kernel releases however the process ends.
///
/// It is begun under the store's lock, shared: a collection, which has that exclusively, sees all holds that there are.
package final class StagingHold: Sendable {
    private let fd: OwnedFD

    /// The caller holds the store's lock, and has just made what is at `path`.
    init(_ path: FilePath) throws(Errno) {
        let file = try OwnedFD.open(path, O_RDONLY | O_NOFOLLOW)
        try Errno.retrying { flock(file.raw, LOCK_EX) }
        fd = file
    }

    /// Whether a process works with what is at `path`. The caller has the store's lock exclusively.
    package static func isHeld(_ path: FilePath) -> Bool {
        guard let file = try? OwnedFD.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) else { return false }
        return flock(file.raw, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
}
