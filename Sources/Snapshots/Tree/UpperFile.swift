import Linux
import SystemPackage

import Glibc

/// A file of any type in an upper directory, whiteouts included.
struct UpperFile: Sendable {
    let directory: UpperDirectory
    /// Empty: the directory itself, which only the root of an upper is known by.
    let name: [UInt8]
    let status: FileStatus
    let marks: OverlayMarks

    /// The root of an upper.
    init(root path: FilePath) throws {
        directory = try naming("open \(path)") {
            try UpperDirectory(
                try OwnedFD.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
                try OverlayMarks.prefixes(inUpper: path)
            )
        }
        name = []
        status = try directory.opened().fd.status()
        marks = try OverlayMarks(at: UpperFile.path([], in: directory), directory.prefixes, isRoot: true)
    }

    /// nil when it is gone: somebody may be working in the container.
    init?(_ name: [UInt8], in directory: UpperDirectory) throws(Errno) {
        self.directory = directory
        self.name = name
        var status = FileStatus()
        let result = try directory.use { fstatat($0, name.terminated, &status, AT_SYMLINK_NOFOLLOW) }
        if result == -1, Errno.last == .noSuchFileOrDirectory { return nil }
        try Errno.check(result)
        self.status = status
        do {
            marks = try OverlayMarks(at: UpperFile.path(name, in: directory), directory.prefixes)
        } catch .noSuchFileOrDirectory {
            return nil
        }
    }

    /// What the mount shows.
    var attributes: NodeAttributes { marks.shown(NodeAttributes(status)) }

    /// A deleted name, in one of two forms. `opaque`: the mark of the directory.
    func isWhiteout(_ opaque: OverlayMarks.Opaque) -> Bool {
        let attributes = NodeAttributes(status)
        return attributes.isWhiteout
            || marks.isWhiteout && opaque == .whiteoutFiles && attributes.isRegular
    }

    /// For calls that take no directory's descriptor, those of extended attributes.
    static func path(_ name: [UInt8], in directory: UpperDirectory) throws(Errno) -> FilePath {
        let fd = try directory.opened().fd.raw
        return FilePath(bytes: Array("/proc/self/fd/\(fd)/".utf8) + (name.isEmpty ? [0x2e] : name))
    }

    /// A regular file or a directory, for reading. ESTALE when it has become something else meanwhile: whoever works in
    /// the container may put a device or a FIFO in its place, which is not opened, since to open one does something.
    func open(_ flags: CInt) throws(Errno) -> OwnedFD {
        let name = name.isEmpty ? [0x2e] : name
        let opened = try directory.use { openat($0, name.terminated, O_PATH | O_NOFOLLOW | O_CLOEXEC) }
        let place = OwnedFD(adopting: try Errno.check(opened))
        guard [S_IFREG, S_IFDIR].contains(try place.status().st_mode & S_IFMT) else {
            throw Errno(rawValue: ESTALE)
        }
        do throws(Errno) {
            // The container has not read it.
            return try place.reopened(flags | O_RDONLY | __O_NOATIME)
        } catch .notPermitted {
            return try place.reopened(flags | O_RDONLY)
        }
    }

    /// A symbolic link's text.
    func target() throws(Errno) -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let (terminated, capacity) = (name.terminated, buffer.count)
        let count = try Errno.check(directory.use { readlinkat($0, terminated, &buffer, capacity) })
        return buffer[..<count].map { UInt8(bitPattern: $0) }
    }

    /// As the inside sees them, sorted by name.
    func xattrs() throws(Errno) -> [NodeXattr] {
        try xattrs(at: UpperFile.path(name, in: directory), marks)
    }

    /// The same of what `path` leads to, which has these marks.
    func xattrs(at path: FilePath, _ marks: OverlayMarks) throws(Errno) -> [NodeXattr] {
        guard !marks.names.isEmpty else { return [] }
        var list: [NodeXattr] = []
        for name in marks.names {
            guard let inner = marks.inner(name, directory.prefixes), let value = try Xattr.get(name, at: path)
            else {
                continue
            }
            list.append(NodeXattr(name: inner.bytes, value: value))
        }
        return list.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }
}

extension [UInt8] {
    /// For system calls. The bytes have no NUL in them: they are a name from a directory.
    var terminated: [CChar] { map { CChar(bitPattern: $0) } + [0] }
}
