import Linux
import SystemPackage

import Glibc

/// A directory of an upper that is open for as long as somebody has something in it, unless it is on the way of a walk
/// that is far below: see `UpperWay`.
final class UpperDirectory: @unchecked Sendable {
    // Safe to share: one walk has it, on one thread at a time.
    private var file: OpenFile?
    private let device: dev_t
    private let inode: ino_t
    /// Of the overlay's marks in this upper.
    let prefixes: [XattrName]

    init(_ fd: consuming OwnedFD, _ prefixes: [XattrName]) throws(Errno) {
        let status = try fd.status()
        (device, inode) = (status.st_dev, status.st_ino)
        file = OpenFile(fd)
        self.prefixes = prefixes
    }

    /// EBADF while it is closed.
    func opened() throws(Errno) -> OpenFile {
        guard let file else { throw .badFileDescriptor }
        return file
    }

    /// Calls `body` with the descriptor. EBADF while it is closed.
    func use<R>(_ body: (CInt) -> R) throws(Errno) -> R {
        let file = try opened()
        return file.fd.use { (raw) in body(raw) }
    }

    var isOpen: Bool { file != nil }

    /// Until `open(from:)`.
    func close() { file = nil }

    /// Opens it again from a directory in it. ESTALE where that has been moved: what `..` leads to is another one then.
    func open(from inner: UpperDirectory) throws(Errno) {
        let above = try inner.opened().fd.open("..", O_RDONLY | O_DIRECTORY)
        let status = try above.status()
        guard status.st_dev == device, status.st_ino == inode else { throw Errno(rawValue: ESTALE) }
        file = OpenFile(above)
    }
}
