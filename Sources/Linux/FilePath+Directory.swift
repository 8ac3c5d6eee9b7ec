package import SystemPackage

import CLinux
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
        // A separate descriptor, because reading moves the offset.
        try openQuietly(.dot, O_RDONLY | O_DIRECTORY).readEntries { (name, kind, ino) throws(Errno) in
            try body(Array(name), kind, ino)
        }
    }

    /// The same from this descriptor's offset on: all names, if it was opened just now, and not with O_PATH. A name is
    /// valid only during the call that it is passed to.
    package func readEntries(
        _ body: (UnsafeRawBufferPointer, UInt8, UInt64) throws(Errno) -> Void
    ) throws(Errno) {
        // As opendir(3) has it.
        let size = 32 << 10
        let start = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
        defer { start.deallocate() }
        let buffer = UnsafeMutableRawBufferPointer(start: start, count: size)
        while true {
            let filled = Int(clinux_read_directory(raw, start, UInt32(size)))
            // A directory that was removed in the meantime has no names, which readdir(3) does not report either.
            guard filled != 0, filled != -Int(ENOENT) else { return }
            guard filled > 0 else { throw Errno(rawValue: CInt(clamping: -filled)) }
            var next = 0
            // struct linux_dirent64: d_ino, d_off, d_reclen, d_type, d_name.
            while filled - next >= 19 {
                let length = Int(buffer.loadUnaligned(fromByteOffset: next + 16, as: UInt16.self))
                guard length > 19, length <= filled - next else { throw .ioError }
                let entry = UnsafeRawBufferPointer(rebasing: buffer[next..<next + length])
                next += length
                let padded = UnsafeRawBufferPointer(rebasing: entry[19...])
                let name = UnsafeRawBufferPointer(rebasing: padded.prefix { $0 != 0 })
                if name.count <= 2, name.allSatisfy({ $0 == UInt8(ascii: ".") }) { continue }
                try body(name, entry[18], entry.loadUnaligned(as: UInt64.self))
            }
        }
    }
}
