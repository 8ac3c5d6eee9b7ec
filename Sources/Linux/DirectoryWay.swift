package import SystemPackage

import Glibc

/// The directories from the start of a walk down to the current one. Only the last few are open: the others are
/// reopened on the way back, so that no tree is too deep for a process's limit of descriptors.
package final class DirectoryWay {
    private let mostOpen: Int
    private var directories: [WayDirectory] = []

    /// `mostOpen`: how many stay open besides the current one. With 0, the walk notices every directory that is
    /// moved meanwhile.
    package init(mostOpen: Int = 32) { self.mostOpen = mostOpen }

    /// The current directory; nil at the end of the walk.
    package var last: WayDirectory? { directories.last }

    /// Walks into `directory`, which is in the current one; does nothing for nil.
    package func enter(_ directory: WayDirectory?) {
        guard let directory else { return }
        directories.append(directory)
        let far = directories.count - 2 - mostOpen
        if far >= 0 { directories[far].close() }
    }

    /// Walks back out of the current directory. ESTALE where it has been moved meanwhile.
    package func leave(_ directory: WayDirectory?) throws(Errno) {
        guard directory != nil, let left = directories.popLast() else { return }
        if let above = directories.last, !above.isOpen { try above.open(from: left) }
    }
}

/// A directory of a walk: open for as long as something refers to it, unless it is far up on the path.
package final class WayDirectory: @unchecked Sendable {
    // Safe to share: only one walk uses it, on one thread at a time.
    private var file: OpenFile?
    private let device: dev_t
    private let inode: ino_t

    /// `fd`: not O_PATH.
    package init(_ fd: consuming OwnedFD) throws(Errno) {
        let status = try fd.status()
        (device, inode) = (status.st_dev, status.st_ino)
        file = OpenFile(fd)
    }

    /// EBADF while it is closed.
    package func opened() throws(Errno) -> OpenFile {
        guard let file else { throw .badFileDescriptor }
        return file
    }

    fileprivate var isOpen: Bool { file != nil }

    fileprivate func close() { file = nil }

    /// Reopens it from a directory inside. ESTALE where that has been moved, so that its `..` is another directory.
    fileprivate func open(from inner: WayDirectory) throws(Errno) {
        let above = try inner.opened().fd.open("..", O_RDONLY | O_DIRECTORY)
        let status = try above.status()
        guard status.st_dev == device, status.st_ino == inode else { throw Errno(rawValue: ESTALE) }
        file = OpenFile(above)
    }
}
