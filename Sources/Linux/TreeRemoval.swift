package import SystemPackage

import Glibc

extension FilePath {
    /// Removes a tree without following symbolic links or crossing into mounts in it: EXDEV or EBUSY then, with what
    /// lies there untouched. A missing tree is no error.
    package func removeTree() throws(Errno) {
        let parent = removingLastComponent()
        guard let name = lastComponent else { throw .invalidArgument }
        do {
            let directory = try OwnedFD.open(parent.isEmpty ? "." : parent, O_RDONLY | O_DIRECTORY)
            let bytes = name.withPlatformString {
                UnsafeBufferPointer(start: $0, count: strlen($0)).map { UInt8(bitPattern: $0) }
            }
            try directory.removeTree(bytes)
        } catch Errno.noSuchFileOrDirectory {
            return
        }
    }
}

extension OwnedFD {
    /// Removes `name` in this directory and everything below, with a few descriptors and no path, so that any tree
    /// that could be made can be removed. It does not enter mounts: EXDEV, or EBUSY for a file.
    package func removeTree(_ name: [UInt8]) throws(Errno) {
        guard try !removedFile(name) else { return }
        try TreeWalk.walk(
            name,
            in: self,
            open: { (parent, name) throws(Errno) in try parent.openToEmpty(name) },
            arrive: { (directory) throws(Errno) in
                var directories: [[UInt8]] = []
                for child in try directory.names() where try !directory.removedFile(child) {
                    directories.append(child)
                }
                return directories
            },
            leave: { (parent, name) throws(Errno) in
                _ = try Errno.check(parent.use { raw in unlinkat(raw, name.terminated, AT_REMOVEDIR) })
            }
        )
    }

    /// Unlinks a file; false for a directory.
    private func removedFile(_ name: [UInt8]) throws(Errno) -> Bool {
        if use({ unlinkat($0, name.terminated, 0) }) == 0 { return true }
        switch Errno.last {
        case .isDirectory: return false
        case .noSuchFileOrDirectory: return true
        case .notPermitted:
            // POSIX's error for a directory, and Linux's for an immutable file.
            var status = FileStatus()
            try Errno.check(use { fstatat($0, name.terminated, &status, AT_SYMLINK_NOFOLLOW) })
            guard status.st_mode & S_IFMT == S_IFDIR else { throw .notPermitted }
            return false
        default: throw .last
        }
    }

    /// Opens a directory. If its mode locks out its owner, or keeps the owner from removing entries, the mode is
    /// changed.
    private func openToEmpty(_ name: [UInt8]) throws(Errno) -> OwnedFD {
        guard geteuid() != 0 else { return try openDirectory(name) }
        let fd: OwnedFD
        do {
            fd = try openDirectory(name)
        } catch .permissionDenied {
            guard use({ fchmodat($0, name.terminated, 0o700, 0) }) == 0 else { throw .permissionDenied }
            return try openDirectory(name)
        }
        if try fd.status().st_mode & 0o700 != 0o700 { _ = fd.use { fchmod($0, 0o700) } }
        return fd
    }
}
