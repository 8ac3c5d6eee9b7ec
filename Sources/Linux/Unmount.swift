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

    /// umount2(2) of `target`, never of what a symbolic link there leads to; where this process may not do that, by
    /// fusermount3. What is not mounted is fine.
    package static func unmount(_ target: FilePath, _ how: How) throws(Errno) {
        let flags = UMOUNT_NOFOLLOW | (how == .lazy ? MNT_DETACH : 0)
        let result = target.withPlatformString { umount2($0, Int32(flags)) }
        guard result == -1 else { return }
        switch Errno.last {
        case .invalidArgument, .noSuchFileOrDirectory: return
        case .notPermitted where geteuid() != 0: try Fusermount.unmount(target, how)
        default: throw .last
        }
    }

    /// Ends the mount whose daemon has `lock`, for everybody who still sees it in another mount namespace or has a file
    /// of it open, and waits until the daemon is gone. What was written is safe then. To be unmounted before, or after:
    /// its users get ENOTCONN.
    ///
    /// `killing`: a daemon that does not end in time is killed. False where it lives on.
    package static func end(_ lock: FilePath, milliseconds: Int = 10_000, killing: Bool = false) -> Bool {
        // By far most mounts have no other user: their daemons are on their way out.
        if waitForDaemon(lock, milliseconds: 50) { return true }
        guard let daemon = MountDaemon(holding: lock) else {
            return waitForDaemon(lock, milliseconds: milliseconds)
        }
        daemon.end()
        if waitForDaemon(lock, milliseconds: milliseconds) { return true }
        guard killing else { return false }
        daemon.kill()
        return waitForDaemon(lock, milliseconds: milliseconds)
    }

    /// Waits until nobody has the lock, that is until the daemon has written everything and is gone.
    /// False after `milliseconds`.
    package static func waitForDaemon(_ lock: FilePath, milliseconds: Int = 10_000) -> Bool {
        guard FileLock.isHeld(lock) else { return true }
        // flock(2) knows no time limit, so a thread waits in it, and this one for the thread. One that waits in
        // vain ends with the daemon.
        guard let end = try? Pipe(), let writer = try? end.write.duplicate().release() else { return false }
        let reader = end.takeReadEnd()
        let thread = try? WorkerThread {
            let writer = OwnedFD(adopting: writer)
            _ = try? FileLock(lock, .shared)
            _ = consume writer
        }
        guard let thread else { return false }
        thread.detach()
        return reader.use { reader in
            var watched = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            return (try? Errno.retrying { poll(&watched, 1, Int32(clamping: milliseconds)) }) == 1
        }
    }
}
