package import Linux
package import SystemPackage

import Glibc

/// A directory of an upper that is read without a mount.
package final class UpperDirectory: Sendable {
    package let place: WayDirectory
    /// The marks in use in this upper.
    package let marks: [OverlayMarks]

    package init(_ fd: consuming OwnedFD, _ marks: [OverlayMarks]) throws(Errno) {
        place = try WayDirectory(fd)
        self.marks = marks
    }
}

/// A file of any type in an upper directory, whiteouts included.
package struct UpperFile: Sendable {
    package let directory: UpperDirectory
    /// `FileName.dot` is the directory itself, which is used for the root of an upper only.
    package let name: FileName
    /// The file's own status, not that which the mount shows: see `FileMarks.shown`.
    package let status: FileStatus
    package let marks: FileMarks

    /// The root of an upper.
    package init(root path: FilePath) throws(Errno) {
        let root = try OwnedFD.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        let inUse = try [OverlayMarks].inUse(root: root)
        name = .dot
        status = try root.status()
        marks = try FileMarks(name, in: root, inUse, isRoot: true)
        directory = try UpperDirectory(root, inUse)
    }

    /// nil where the file is gone, because processes may be working in the container.
    package init?(_ name: FileName, in directory: UpperDirectory) throws(Errno) {
        self.directory = directory
        self.name = name
        let open = try directory.place.opened()
        do throws(Errno) {
            status = try open.fd.status(of: name)
            marks = try FileMarks(name, in: open.fd, directory.marks)
        } catch .noSuchFileOrDirectory {
            return nil
        }
    }

    /// The current status of the name. ENOENT.
    package func statusAgain() throws(Errno) -> FileStatus {
        try directory.place.opened().fd.status(of: name)
    }

    /// The current marks of the name.
    package func marksAgain() throws(Errno) -> FileMarks {
        try FileMarks(name, in: directory.place.opened().fd, directory.marks)
    }

    /// Opens a regular file or a directory for reading. ESTALE when it has become something else meanwhile: a
    /// process in the container may put a device or a FIFO in its place, which is not opened, because that may have
    /// effects.
    package func open(_ flags: CInt) throws(Errno) -> OwnedFD {
        let place = try directory.place.opened().fd.open(name, O_PATH)
        guard [S_IFREG, S_IFDIR].contains(try place.status().st_mode & S_IFMT) else {
            throw Errno(rawValue: ESTALE)
        }
        do throws(Errno) {
            // This is not a read by the container.
            return try place.reopened(flags | O_RDONLY | __O_NOATIME)
        } catch .notPermitted {
            return try place.reopened(flags | O_RDONLY)
        }
    }

    /// The target of a symbolic link.
    package func target() throws(Errno) -> [UInt8] { try directory.place.opened().fd.target(of: name) }

    /// The extended attributes of a file that has `marks`, as the mount shows them, sorted by name.
    package func xattrs(_ marks: FileMarks) throws(Errno) -> [(name: XattrName, value: [UInt8])] {
        guard !marks.names.isEmpty else { return [] }
        let open = try directory.place.opened()
        var list: [(name: XattrName, value: [UInt8])] = []
        for stored in marks.names {
            guard let visible = directory.marks.visible(stored, isDevice: marks.isDevice),
                let value = try open.fd.wholeAttribute(stored, of: name)
            else { continue }
            list.append((visible, value))
        }
        return list.sorted { $0.name < $1.name }
    }
}
