package import SystemPackage

import Glibc

/// Ways to end mounts.
package enum Unmount {
    package enum How: Sendable {
        /// EBUSY while the mount is in use.
        case polite
        /// Detaches the mount at once (MNT_DETACH); it ends with its last user.
        case lazy
    }

    /// umount2(2) of `target`, without following a symbolic link; where this process may not do that, by
    /// fusermount3. A target that is not mounted is no error.
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

    /// Ends the mount whose daemon holds `lock`, also in other mount namespaces and for open files, and waits until
    /// the daemon is gone. Written data is safe then. Unmount before or after: its users get ENOTCONN.
    ///
    /// `killing`: kills a daemon that does not end in time. False where it lives on.
    package static func end(_ lock: FilePath, milliseconds: Int = 10_000, killing: Bool = false) -> Bool {
        // Most mounts have no other user: their daemons are ending already.
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

    /// Waits until the lock is free, that is until the daemon has written everything and is gone. False after
    /// `milliseconds`.
    package static func waitForDaemon(_ lock: FilePath, milliseconds: Int = 10_000) -> Bool {
        guard FileLock.isHeld(lock) else { return true }
        // flock(2) has no timeout, so a thread waits in it, and this one waits for that thread. If it waits in vain,
        // it ends with the daemon.
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
