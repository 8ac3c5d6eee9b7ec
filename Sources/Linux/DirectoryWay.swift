package import SystemPackage

import Glibc

/// The directories from where a walk began down to the one that it is in. The last few of them are open: the others are
/// opened again on the way back, so that no tree is too deep for a process's descriptors.
package final class DirectoryWay {
    private let mostOpen: Int
    private var directories: [WayDirectory] = []

    /// `mostOpen`: how many are open besides the one that the walk is in. With none of them open the walk sees whatever is
    /// moved meanwhile.
    package init(mostOpen: Int = 32) { self.mostOpen = mostOpen }

    /// The one that the walk is in; nil at its end.
    package var last: WayDirectory? { directories.last }

    /// Walks into `directory`, which is in the one that was entered last; nil: there is none, and nothing happens.
    package func enter(_ directory: WayDirectory?) {
        guard let directory else { return }
        directories.append(directory)
        let far = directories.count - 2 - mostOpen
        if far >= 0 { directories[far].close() }
    }

    /// Walks back out of `directory`, which was entered last. ESTALE where it has been moved meanwhile.
    package func leave(_ directory: WayDirectory?) throws(Errno) {
        guard directory != nil, let left = directories.popLast() else { return }
        if let above = directories.last, !above.isOpen { try above.open(from: left) }
    }
}

/// A directory that is open for as long as somebody has something in it, unless it is far up on the way of a walk.
package final class WayDirectory: @unchecked Sendable {
    // Safe to share: one walk has it, on one thread at a time.
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

    /// Opens it again from a directory in it. ESTALE where that has been moved: what `..` leads to is another one then.
    fileprivate func open(from inner: WayDirectory) throws(Errno) {
        let above = try inner.opened().fd.open("..", O_RDONLY | O_DIRECTORY)
        let status = try above.status()
        guard status.st_dev == device, status.st_ino == inode else { throw Errno(rawValue: ESTALE) }
        file = OpenFile(above)
    }
}
