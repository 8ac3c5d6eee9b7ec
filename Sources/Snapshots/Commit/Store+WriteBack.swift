import Layers
import Linux
import SystemPackage

import Glibc

/// Mounts with `writeback=1`: what a program has written to a file that it has open may be in the kernel's page cache
/// alone, and what is read from the upper would be older than what the mount shows.
extension Store {
    /// A mount that shows a subject's upper, if there is one.
    struct WritableMount: Sendable {
        let lock: FilePath
        let target: FilePath
    }

    /// Where the container's root is while it runs.
    func rootMount(ofContainer id: String) -> WritableMount {
        let directory = layout.container(id)
        return WritableMount(lock: directory.appending("mount.lock"), target: directory.appending("rootfs"))
    }

    /// The mount of an active snapshot.
    func writableMount(of key: String) throws -> WritableMount? {
        try mounts().first { $0.isLive && $0.isOf(key) }
            .map { WritableMount(lock: mountLock($0.id), target: $0.target) }
    }

    /// Brings the data of all files in `upper` there. Returns at once where nothing is kept back.
    func writeBack(_ mount: WritableMount?, to upper: FilePath) throws {
        guard let mount, MountDaemon.writesBack(mount.lock) else { return }
        try naming("write back what was written to \(mount.target)") {
            let shown = try OwnedFD.open(mount.target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            let stored = try OwnedFD.open(upper, O_RDONLY | O_DIRECTORY)
            try UpperWriteBack.run(stored, shown)
        }
    }
}

/// Files have the same names in an upper and in a mount of it.
private enum UpperWriteBack {
    /// `stored`: a directory of the upper; `shown`: the same one in the mount, in which programs may change anything
    /// meanwhile. What is gone by then, or something else, is passed over.
    static func run(_ stored: borrowing OwnedFD, _ shown: borrowing OwnedFD) throws(Errno) {
        for name in try stored.names() {
            let name = FileName(name)
            guard let status = try? stored.status(of: name) else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFREG:
                // O_NONBLOCK: it may be a FIFO by now.
                let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
                guard let file = try opened(name, in: shown, flags) else { continue }
                // Writes all dirty pages, waits for them, and says whether that worked: fuse_flush in fs/fuse/file.c.
                try Errno.check(close(file.release()))
            case S_IFDIR:
                guard let below = try opened(name, in: stored, O_RDONLY | O_DIRECTORY),
                    let seen = try opened(name, in: shown, O_RDONLY | O_DIRECTORY)
                else { continue }
                try run(below, seen)
            default: continue
            }
        }
    }

    private static func opened(
        _ name: FileName,
        in directory: borrowing OwnedFD,
        _ flags: CInt
    ) throws(Errno) -> OwnedFD? {
        do throws(Errno) {
            return try directory.open(name, flags)
        } catch {
            guard [ENOENT, ENOTDIR, ELOOP, ENXIO, ENODEV].contains(error.rawValue) else { throw error }
            return nil
        }
    }
}
