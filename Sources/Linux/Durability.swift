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

    /// Gives this directory the name `target`. What has that name already is exchanged for it, in one step where the
    /// filesystem can (RENAME_EXCHANGE), and is under the one name or under `other` then.
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
