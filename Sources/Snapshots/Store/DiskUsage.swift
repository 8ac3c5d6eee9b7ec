import Linux
import SystemPackage

import Glibc

/// What a tree takes on disk: blocks, not sizes, and every inode once.
enum DiskUsage {
    static func of(_ path: FilePath) throws -> SnapshotUsage {
        var walk = Walk()
        let status = try naming("read \(path)") { try path.status() }
        walk.count(status)
        if status.st_mode & S_IFMT == S_IFDIR {
            let root = try naming("read \(path)") {
                try OwnedFD.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            }
            try walk.enter(root, path)
        }
        return SnapshotUsage(bytes: walk.bytes, inodes: walk.inodes)
    }

    private struct Walk {
        var bytes: UInt64 = 0
        var inodes: UInt64 = 0
        private var seen: Set<UInt64> = []

        mutating func count(_ status: FileStatus) {
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            guard isDirectory || status.st_nlink < 2 || seen.insert(UInt64(status.st_ino)).inserted else {
                return
            }
            inodes += 1
            bytes += UInt64(clamping: status.st_blocks) * 512
        }

        mutating func enter(_ directory: borrowing OwnedFD, _ path: FilePath) throws {
            for name in try naming("read \(path)", { try directory.names() }) {
                var status = FileStatus()
                let terminated = name.map { CChar(bitPattern: $0) } + [0]
                // What went meanwhile takes nothing.
                guard fstatat(directory.raw, terminated, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
                count(status)
                guard status.st_mode & S_IFMT == S_IFDIR else { continue }
                let child = openat(
                    directory.raw,
                    terminated,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
                )
                guard child >= 0 else { continue }
                try enter(OwnedFD(adopting: child), path)
            }
        }
    }
}
