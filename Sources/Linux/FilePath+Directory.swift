package import SystemPackage

import Glibc

extension FilePath {
    /// mkdir(2); an existing directory is no error.
    package func makeDirectory(mode: UInt32 = 0o755) throws(Errno) {
        let result = withPlatformString { mkdir($0, mode) }
        if result == -1, Errno.last != .fileExists { throw .last }
    }

    /// mkdir(2) of this path and of every missing parent.
    package func makeDirectories(mode: UInt32 = 0o755) throws(Errno) {
        do {
            try makeDirectory(mode: mode)
        } catch Errno.noSuchFileOrDirectory where !removingLastComponent().isEmpty {
            try removingLastComponent().makeDirectories(mode: mode)
            try makeDirectory(mode: mode)
        }
    }

    /// The same for directories that other users are to use: each new directory gets this mode, whatever the umask.
    package func makeDirectories(exactly mode: UInt32) throws(Errno) {
        func make() throws(Errno) {
            if withPlatformString({ mkdir($0, mode) }) == 0 {
                try Errno.check(withPlatformString { chmod($0, mode) })
            } else if Errno.last != .fileExists {
                throw .last
            }
        }
        do {
            try make()
        } catch Errno.noSuchFileOrDirectory where !removingLastComponent().isEmpty {
            try removingLastComponent().makeDirectories(exactly: mode)
            try make()
        }
    }

    /// Whether lstat(2) finds anything here.
    package var exists: Bool {
        var status = FileStatus()
        return withPlatformString { lstat($0, &status) } == 0
    }

    /// lstat(2).
    package func status() throws(Errno) -> FileStatus {
        var status = FileStatus()
        try Errno.check(withPlatformString { lstat($0, &status) })
        return status
    }

    /// stat(2), which follows a symbolic link.
    package func followedStatus() throws(Errno) -> FileStatus {
        var status = FileStatus()
        try Errno.check(withPlatformString { fstatat(AT_FDCWD, $0, &status, 0) })
        return status
    }

    /// unlink(2); a missing file is no error.
    package func unlink() throws(Errno) {
        let result = withPlatformString { Glibc.unlink($0) }
        if result == -1, Errno.last != .noSuchFileOrDirectory { throw .last }
    }

    /// rename(2).
    package func rename(to target: FilePath) throws(Errno) {
        try Errno.check(
            withPlatformString { old in target.withPlatformString { Glibc.rename(old, $0) } }
        )
    }

    /// fsync(2) of the directory or file at this path. A rename is durable once its directory is synced.
    package func synchronize() throws(Errno) {
        try OwnedFD.open(self, O_RDONLY).synchronize()
    }

    /// The names in this directory, without `.` and `..`, in no order. Names are bytes, hence not `String`.
    package func names() throws(Errno) -> [[UInt8]] {
        try OwnedFD.open(self, O_RDONLY | O_DIRECTORY).names()
    }
}

extension OwnedFD {
    /// The names in this directory, without `.` and `..`, in no order.
    package func names() throws(Errno) -> [[UInt8]] { try entries().map(\.name) }

    /// The names of the subdirectories that a walk is to enter.
    package func subdirectories() throws(Errno) -> [[UInt8]] {
        var names: [[UInt8]] = []
        try forEachEntry { (name, kind, _) throws(Errno) in
            var isDirectory = Int(kind) == Int(DT_DIR)
            if Int(kind) == Int(DT_UNKNOWN) {
                isDirectory = try status(of: FileName(name)).st_mode & S_IFMT == S_IFDIR
            }
            if isDirectory { names.append(name) }
        }
        return names
    }

    /// The names in this directory with their types (DT_*), without `.` and `..`, in no order.
    package func entries() throws(Errno) -> [(name: [UInt8], kind: UInt8)] {
        var entries: [(name: [UInt8], kind: UInt8)] = []
        try forEachEntry { (name, kind, _) in entries.append((name, kind)) }
        return entries
    }

    /// The same with their d_ino. It leaves the directory's access time alone where this process may, because no
    /// user asked for the names.
    package func forEachEntry(_ body: ([UInt8], UInt8, UInt64) throws(Errno) -> Void) throws(Errno) {
        // A separate descriptor, because readdir moves the offset and closedir closes.
        let copy = try openQuietly(.dot, O_RDONLY | O_DIRECTORY)
        guard let stream = fdopendir(copy.raw) else { throw .last }
        _ = copy.release()
        defer { closedir(stream) }
        while true {
            Glibc.errno = 0
            guard let entry = readdir(stream) else {
                guard Glibc.errno == 0 else { throw .last }
                return
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard name != [0x2e], name != [0x2e, 0x2e] else { continue }
            try body(name, entry.pointee.d_type, UInt64(entry.pointee.d_ino))
        }
    }
}
