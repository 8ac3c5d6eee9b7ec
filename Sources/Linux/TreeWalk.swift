package import SystemPackage

import CLinux
import Glibc

/// A walk through a directory and everything below it, on this filesystem as it is mounted here: it enters no
/// symbolic link and nothing that is mounted in the tree. It uses no recursion, no paths and a few descriptors,
/// however deep the tree is.
package enum TreeWalk {
    /// A directory on the way to the one that is open.
    private struct Level {
        let name: [UInt8]
        let device: dev_t
        let inode: ino_t
        /// Directories in it that are still to be entered.
        var pending: [[UInt8]]
    }

    /// Walks from the directory `name` in `parent`. EXDEV where something is mounted on a directory of the tree,
    /// ESTALE where somebody moves a directory meanwhile.
    ///
    /// - Parameters:
    ///   - open: opens the directory of that name in an open one; nil: it is passed over.
    ///   - arrive: gets each directory, open, before anything in it; returns which names in it are to be entered.
    ///   - leave: gets each directory after everything below it, by its name and the open one that it is in.
    package static func walk(
        _ name: [UInt8],
        in parent: borrowing OwnedFD,
        open: (borrowing OwnedFD, [UInt8]) throws(Errno) -> OwnedFD?,
        arrive: (borrowing OwnedFD) throws(Errno) -> [[UInt8]],
        leave: (borrowing OwnedFD, [UInt8]) throws(Errno) -> Void = { (_, _) throws(Errno) in }
    ) throws(Errno) {
        guard var current = try open(parent, name) else { return }
        var levels = [try level(name, current, arrive)]
        while let last = levels.indices.last {
            if let child = levels[last].pending.popLast() {
                guard let next = try open(current, child) else { continue }
                levels.append(try level(child, next, arrive))
                current = next
                continue
            }
            let done = levels.removeLast()
            guard let above = levels.last else { return try leave(parent, done.name) }
            let up = try current.open("..", O_RDONLY | O_DIRECTORY)
            let status = try up.status()
            // Somebody has moved the directory: what `..` leads to now is none of ours.
            guard status.st_dev == above.device, status.st_ino == above.inode else {
                throw Errno(rawValue: ESTALE)
            }
            current = up
            try leave(current, done.name)
        }
    }

    private static func level(
        _ name: [UInt8],
        _ directory: borrowing OwnedFD,
        _ arrive: (borrowing OwnedFD) throws(Errno) -> [[UInt8]]
    ) throws(Errno) -> Level {
        let status = try directory.status()
        return Level(
            name: name,
            device: status.st_dev,
            inode: status.st_ino,
            pending: try arrive(directory)
        )
    }
}

extension OwnedFD {
    /// Opens the directory `name` in this one, for reading. EXDEV where something is mounted on it; ELOOP or ENOTDIR
    /// for a symbolic link.
    package func openDirectory(_ name: [UInt8]) throws(Errno) -> OwnedFD {
        let terminated = name.map { CChar(bitPattern: $0) } + [0]
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        let opened = use { clinux_open_beneath($0, terminated, UInt64(flags), 0, 1) }
        if opened >= 0 { return OwnedFD(adopting: opened) }
        // A kernel or a filter that does not know openat2(2).
        guard [ENOSYS, EPERM].contains(-opened) else { throw Errno(rawValue: -opened) }
        let fd = OwnedFD(adopting: try Errno.check(use { openat($0, terminated, flags) }))
        guard try fd.status().st_dev == status().st_dev else { throw Errno(rawValue: EXDEV) }
        return fd
    }
}
