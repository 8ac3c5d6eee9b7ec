import Linux
import SystemPackage

import Glibc

/// What a tree takes on disk: blocks, not sizes, and every inode once. What is mounted in it is not a part of it.
enum DiskUsage {
    static func of(_ path: FilePath) throws -> SnapshotUsage {
        var tries = 0
        while true {
            do {
                return try count(path)
            } catch {
                // ESTALE: a process works in it, and has moved a directory.
                tries += 1
                guard error.rawValue == ESTALE, tries < 10 else { throw Failure("read \(path)", error) }
            }
        }
    }

    private static func count(_ path: FilePath) throws(Errno) -> SnapshotUsage {
        var count = Count()
        let status = try path.status()
        count.add(status)
        if status.st_mode & S_IFMT == S_IFDIR {
            let root = try OwnedFD.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            try TreeWalk.walk(
                [UInt8(ascii: ".")],
                in: root,
                open: { (parent, name) throws(Errno) in try Count.open(name, in: parent) },
                arrive: { (directory) throws(Errno) in try count.arrive(directory) }
            )
        }
        return SnapshotUsage(bytes: count.bytes, inodes: count.inodes)
    }

    private struct Count {
        var bytes: UInt64 = 0
        var inodes: UInt64 = 0
        private var seen: Set<UInt64> = []

        mutating func add(_ status: FileStatus) {
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            guard isDirectory || status.st_nlink < 2 || seen.insert(UInt64(status.st_ino)).inserted else {
                return
            }
            inodes += 1
            bytes += UInt64(clamping: status.st_blocks) * 512
        }

        /// nil for what went meanwhile, or has something mounted on it.
        static func open(_ name: [UInt8], in parent: borrowing OwnedFD) throws(Errno) -> OwnedFD? {
            do {
                return try parent.openDirectory(name)
            } catch {
                guard [ENOENT, ENOTDIR, ELOOP, EXDEV].contains(error.rawValue) else { throw error }
                return nil
            }
        }

        /// Returns the directories to be entered.
        mutating func arrive(_ directory: borrowing OwnedFD) throws(Errno) -> [[UInt8]] {
            let device = try directory.status().st_dev
            var directories: [[UInt8]] = []
            for name in try directory.names() {
                // What went meanwhile takes nothing.
                guard let status = try? directory.status(of: FileName(name)), status.st_dev == device else {
                    continue
                }
                add(status)
                if status.st_mode & S_IFMT == S_IFDIR { directories.append(name) }
            }
            return directories
        }
    }
}
