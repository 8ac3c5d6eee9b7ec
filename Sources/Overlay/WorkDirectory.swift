package import Linux
package import SystemPackage

import Glibc

/// The directory beside an upper, in which whatever comes into the upper is made.
package enum WorkDirectory {
    /// What a mount holds for as long as it is served: whoever has it knows that nothing is mounted, nor will be before it
    /// is given back. nil: somebody else has it.
    package static func lock(_ path: FilePath) throws(Errno) -> OwnedFD? {
        let work = try OwnedFD.open(path, O_RDONLY | O_DIRECTORY)
        guard try lock(work) else { return nil }
        return work
    }

    /// The same of an open one; false: somebody else has it.
    static func lock(_ work: borrowing OwnedFD) throws(Errno) -> Bool {
        do throws(Errno) {
            try work.use { raw throws(Errno) in _ = try Errno.retrying { flock(raw, LOCK_EX | LOCK_NB) } }
            return true
        } catch .wouldBlock {
            return false
        }
    }
}
