package import SystemPackage

import Glibc

extension FilePath {
    /// mkdir(2); one that exists already is fine.
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

    /// The same for what others than us are to use: each directory that is made has this mode, whatever the umask.
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

    /// unlink(2); what is not there is fine.
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

    /// fsync(2) of the directory or file at this path: a rename is durable only once its directory is.
    package func synchronize() throws(Errno) {
        try OwnedFD.open(self, O_RDONLY).synchronize()
    }

    /// The names in this directory, without `.` and `..`, in no order. Names are bytes, hence not `String`.
    package func names() throws(Errno) -> [[UInt8]] {
        try OwnedFD.open(self, O_RDONLY | O_DIRECTORY).names()
    }

    /// Removes a tree without following symbolic links or crossing into other mounts' files.
    /// What is not there is fine.
    package func removeTree() throws(Errno) {
        let parent = removingLastComponent()
        guard let name = lastComponent else { throw .invalidArgument }
        do {
            let directory = try OwnedFD.open(parent.isEmpty ? "." : parent, O_RDONLY | O_DIRECTORY)
            try directory.removeTree(Array(name.string.utf8CString.dropLast().map { UInt8(bitPattern: $0) }))
        } catch Errno.noSuchFileOrDirectory {
            return
        }
    }
}

extension OwnedFD {
    /// The names in this directory, without `.` and `..`, in no order.
    package func names() throws(Errno) -> [[UInt8]] { try entries().map(\.name) }

    /// The names in this directory with their types (DT_*), without `.` and `..`, in no order.
    package func entries() throws(Errno) -> [(name: [UInt8], kind: UInt8)] {
        // A descriptor of its own: readdir moves the offset, and closedir closes.
        let copy = try open(".", O_RDONLY | O_DIRECTORY)
        guard let stream = fdopendir(copy.raw) else { throw .last }
        _ = copy.release()
        defer { closedir(stream) }
        var entries: [(name: [UInt8], kind: UInt8)] = []
        while true {
            Glibc.errno = 0
            guard let entry = readdir(stream) else {
                guard Glibc.errno == 0 else { throw .last }
                return entries
            }
            let kind = entry.pointee.d_type
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2e], name != [0x2e, 0x2e] { entries.append((name, kind)) }
        }
    }

    /// Removes `name` in this directory and everything below. Uses no recursion deeper than the tree, and
    /// no path: a tree deeper than PATH_MAX goes as well.
    package func removeTree(_ name: [UInt8]) throws(Errno) {
        let terminated = name.map { CChar(bitPattern: $0) } + [0]
        if unlinkat(raw, terminated, 0) == 0 { return }
        switch Errno.last {
        case .isDirectory, .notPermitted: break
        case .noSuchFileOrDirectory: return
        default: throw .last
        }
        do {
            let raw = openat(raw, terminated, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            let directory = OwnedFD(adopting: try Errno.check(raw))
            for child in try directory.names() { try directory.removeTree(child) }
        }
        try Errno.check(unlinkat(raw, terminated, AT_REMOVEDIR))
    }
}
