package import SystemPackage

import CLinux
import Glibc

extension OwnedFD {
    /// Starts writing what is dirty of this file and does not wait: a later sync has less to do. Filesystems
    /// that cannot are none the worse.
    package func startWriteback() { _ = use { clinux_start_writeback($0) } }

    /// syncfs(2): one flush of the whole filesystem that this is in, where thousands of fsync(2) would each
    /// wait for the journal.
    package func synchronizeFilesystem() throws(Errno) {
        let result = use { clinux_syncfs($0) }
        guard result >= 0 else { throw Errno(rawValue: -result) }
    }
}

extension FilePath {
    /// syncfs(2) of the filesystem that this directory is in.
    package func synchronizeFilesystem() throws(Errno) {
        try OwnedFD.open(self, O_RDONLY | O_DIRECTORY).synchronizeFilesystem()
    }

    /// renameat2(2) with RENAME_NOREPLACE: EEXIST where `target` is there already. By link(2) for files of
    /// filesystems that do not know the flag.
    package func renameWithoutReplacing(_ target: FilePath) throws(Errno) {
        let result = withPlatformString { old in
            target.withPlatformString { clinux_renameat2(AT_FDCWD, old, AT_FDCWD, $0, 1) }
        }
        if result >= 0 { return }
        guard -result == EINVAL else { throw Errno(rawValue: -result) }
        if try status().st_mode & S_IFMT == S_IFDIR {
            // rename(2) replaces no directory but an empty one.
            return try rename(to: target)
        }
        try Errno.check(withPlatformString { old in target.withPlatformString { link(old, $0) } })
        try unlink()
    }
}
