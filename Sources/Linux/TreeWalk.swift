package import SystemPackage

import CLinux
import Glibc

/// A walk through a directory and everything below it on the same mount: it enters no symbolic link and no mount in
/// the tree. It uses no recursion, no paths and a few descriptors, however deep the tree is.
package enum TreeWalk {
    /// Walks from the directory `name` in `parent`. EXDEV at a mount on a directory of the tree, ESTALE where a
    /// directory is moved meanwhile.
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
        guard let first = try open(parent, name) else { return }
        let way = DirectoryWay(mostOpen: 0)
        way.enter(try WayDirectory(first))
        // For each directory on the path, its name and the names in it that are still to be entered.
        var levels: [(name: [UInt8], pending: [[UInt8]])] = []
        while let directory = way.last {
            let current = try directory.opened()
            if levels.isEmpty { levels.append((name, try arrive(current.fd))) }
            if let child = levels[levels.count - 1].pending.popLast() {
                guard let next = try open(current.fd, child) else { continue }
                way.enter(try WayDirectory(next))
                if let next = way.last { levels.append((child, try arrive(next.opened().fd))) }
                continue
            }
            let done = levels.removeLast()
            try way.leave(directory)
            guard let above = way.last else { return try leave(parent, done.name) }
            try leave(above.opened().fd, done.name)
        }
    }
}

extension OwnedFD {
    /// Opens the directory `name` in this one, for reading. EXDEV where something is mounted on it; ELOOP or ENOTDIR
    /// for a symbolic link.
    package func openDirectory(_ name: [UInt8]) throws(Errno) -> OwnedFD {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        let opened = use { clinux_open_beneath($0, name.terminated, UInt64(flags), 0, 1) }
        if opened >= 0 { return OwnedFD(adopting: opened) }
        // The kernel, or a seccomp filter, does not know openat2(2).
        guard [ENOSYS, EPERM].contains(-opened) else { throw Errno(rawValue: -opened) }
        let fd = OwnedFD(adopting: try Errno.check(use { openat($0, name.terminated, flags) }))
        guard try fd.status().st_dev == status().st_dev else { throw Errno(rawValue: EXDEV) }
        return fd
    }
}

extension [UInt8] {
    /// For system calls. The bytes are a name from a directory, and so have no NUL in them.
    package var terminated: [CChar] { map { CChar(bitPattern: $0) } + [0] }
}
