package import SystemPackage

import CLinux
import Glibc

extension OwnedFD {
    /// Starts writing this file's dirty pages and does not wait, so that a later sync has less to do. Without effect
    /// on filesystems that can't.
    package func startWriteback() { _ = use { clinux_start_writeback($0) } }

    /// syncfs(2): flushes this file's filesystem once, where thousands of fsync(2) would each wait for the journal.
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

    /// Gives this directory the name `target`. If another has that name, the two are exchanged, in one step where
    /// the filesystem can (RENAME_EXCHANGE); otherwise the other gets the name `other`.
    package func rename(to target: FilePath, exchangingWith other: FilePath) throws(Errno) {
        do throws(Errno) {
            return try renameWithoutReplacing(target)
        } catch .fileExists {
        } catch .directoryNotEmpty {
        }
        let result = withPlatformString { old in
            target.withPlatformString { clinux_renameat2(AT_FDCWD, old, AT_FDCWD, $0, 2) }
        }
        if result >= 0 { return }
        guard [EINVAL, ENOSYS].contains(-result) else { throw Errno(rawValue: -result) }
        try target.rename(to: other)
        try rename(to: target)
    }

    /// renameat2(2) with RENAME_NOREPLACE: EEXIST where `target` exists. On filesystems that do not know the flag,
    /// files are renamed by link(2).
    package func renameWithoutReplacing(_ target: FilePath) throws(Errno) {
        let result = withPlatformString { old in
            target.withPlatformString { clinux_renameat2(AT_FDCWD, old, AT_FDCWD, $0, 1) }
        }
        if result >= 0 { return }
        guard -result == EINVAL else { throw Errno(rawValue: -result) }
        if try status().st_mode & S_IFMT == S_IFDIR {
            // rename(2) replaces only an empty directory.
            return try rename(to: target)
        }
        try Errno.check(withPlatformString { old in target.withPlatformString { link(old, $0) } })
        try unlink()
    }
}
