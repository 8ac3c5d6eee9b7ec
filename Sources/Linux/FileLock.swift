package import SystemPackage

import Glibc

/// An flock(2) on a separate file: the kernel releases it when the last process that inherited it is gone, however
/// that ended.
package struct FileLock: ~Copyable, Sendable {
    private let fd: OwnedFD

    package enum Kind: Sendable { case shared, exclusive }

    /// Waits for the lock. Creates `path` when missing.
    package init(_ path: FilePath, _ kind: Kind = .exclusive) throws(Errno) {
        let file = try OwnedFD.open(path, O_RDWR | O_CREAT, mode: 0o600)
        try Errno.retrying { flock(file.raw, kind == .shared ? LOCK_SH : LOCK_EX) }
        fd = file
    }

    /// nil when another process has the lock.
    package init?(trying path: FilePath, _ kind: Kind = .exclusive) throws(Errno) {
        let file = try OwnedFD.open(path, O_RDWR | O_CREAT, mode: 0o600)
        do {
            try Errno.retrying { flock(file.raw, (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) }
        } catch Errno.wouldBlock {
            return nil
        }
        fd = file
    }

    /// Keeps the lock until the process ends. The caller owns the descriptor.
    package consuming func release() -> CInt { fd.release() }

    /// Whether a process has `path` locked exclusively. It tries a shared lock, so that two processes that look do
    /// not see each other. Nothing holds a file that is not there.
    package static func isHeld(_ path: FilePath) -> Bool {
        guard path.exists else { return false }
        guard let lock = try? FileLock(trying: path, .shared) else { return true }
        _ = consume lock
        return false
    }

    /// The locked descriptor, for a child process to inherit.
    package var raw: CInt { fd.raw }
}
