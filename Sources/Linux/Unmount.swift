package import SystemPackage

import Glibc

/// The ends of mounts.
package enum Unmount {
    package enum How: Sendable {
        /// EBUSY while somebody uses it.
        case polite
        /// Out of the tree at once, gone when its last user is.
        case lazy
    }

    /// umount2(2) of `target`, never of what a symbolic link there leads to. What is not mounted is fine.
    package static func unmount(_ target: FilePath, _ how: How) throws(Errno) {
        let flags = UMOUNT_NOFOLLOW | (how == .lazy ? MNT_DETACH : 0)
        let result = target.withPlatformString { umount2($0, Int32(flags)) }
        if result == -1, ![.invalidArgument, .noSuchFileOrDirectory].contains(Errno.last) { throw .last }
    }

    /// Waits until nobody has the lock, that is until the daemon has written everything and is gone.
    /// False after `milliseconds`.
    package static func waitForDaemon(_ lock: FilePath, milliseconds: Int = 10_000) -> Bool {
        var pause: UInt32 = 200
        var waited = 0
        while waited < milliseconds * 1000 {
            if !FileLock.isHeld(lock) { return true }
            usleep(pause)
            waited += Int(pause)
            pause = min(pause * 2, 20_000)
        }
        return false
    }
}
