package import Linux
package import SystemPackage

import Glibc

/// The directory beside an upper in which everything that comes into the upper is made.
package enum WorkDirectory {
    /// Takes the lock that a mount holds for as long as it is served: its owner knows that the upper is not mounted,
    /// and will not be before the lock is released. nil: another process has it.
    package static func lock(_ path: FilePath) throws(Errno) -> OwnedFD? {
        let work = try OwnedFD.open(path, O_RDONLY | O_DIRECTORY)
        guard try lock(work) else { return nil }
        return work
    }

    /// The same for an open directory; false: another process has the lock.
    static func lock(_ work: borrowing OwnedFD) throws(Errno) -> Bool {
        do throws(Errno) {
            try work.use { raw throws(Errno) in _ = try Errno.retrying { flock(raw, LOCK_EX | LOCK_NB) } }
            return true
        } catch .wouldBlock {
            return false
        }
    }
}
