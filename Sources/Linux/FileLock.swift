package import SystemPackage

import Glibc

/// An flock(2) on a file of its own: free again the moment the last process that inherited it is gone,
/// however it died.
package struct FileLock: ~Copyable, Sendable {
    private let fd: OwnedFD

    package enum Kind: Sendable { case shared, exclusive }

    /// Waits for the lock. Creates `path` when missing.
    package init(_ path: FilePath, _ kind: Kind = .exclusive) throws(Errno) {
        let file = try OwnedFD.open(path, O_RDWR | O_CREAT, mode: 0o600)
        try Errno.retrying { flock(file.raw, kind == .shared ? LOCK_SH : LOCK_EX) }
        fd = file
    }

    /// nil when somebody else has it.
    package init?(trying path: FilePath, _ kind: Kind = .exclusive) throws(Errno) {
        let file = try OwnedFD.open(path, O_RDWR | O_CREAT, mode: 0o600)
        do {
            try Errno.retrying { flock(file.raw, (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) }
        } catch Errno.wouldBlock {
            return nil
        }
        fd = file
    }

    /// Keeps the lock until the process ends: the caller owns the descriptor.
    package consuming func release() -> CInt { fd.release() }

    /// Whether somebody has `path` locked exclusively. Looks with a shared lock, so that two who look do not
    /// see each other. A file that is not there nobody has.
    package static func isHeld(_ path: FilePath) -> Bool {
        guard path.exists else { return false }
        guard let lock = try? FileLock(trying: path, .shared) else { return true }
        _ = consume lock
        return false
    }

    /// The locked descriptor, for a child process to inherit.
    package var raw: CInt { fd.raw }
}
