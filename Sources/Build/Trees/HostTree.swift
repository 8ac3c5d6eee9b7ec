import Linux
import SystemPackage
import Tar

import Glibc

/// A directory of the host: the context. It is opened once, and names in it are looked up one by one without following a
/// link, so that nothing outside of it is ever opened. No fifo and no device is opened either.
final class HostTree: FileTree {
    private let directory: OpenFile

    init(_ path: FilePath) throws {
        directory = try naming("open the context \(path)") {
            OpenFile(try OwnedFD.open(path, O_RDONLY | O_DIRECTORY))
        }
        // One for each directory on the way down.
        OpenFileLimit.raise()
    }

    func root() throws -> any TreeFile {
        try naming("read the context") { try HostFile(.itself, in: directory, path: "the context") }
    }
}

private final class HostFile: TreeFile {
    private let parent: OpenFile
    private let name: FileName
    private let status: FileStatus
    private let path: String
    private var opened: OpenFile?

    let attributes: TreeAttributes

    init(_ name: FileName, in parent: OpenFile, path: String) throws(Errno) {
        self.parent = parent
        self.name = name
        self.path = path
        status = try parent.fd.status(of: name)
        let kind = TarEntry.Kind(mode: status.st_mode)
        let isDevice = kind == .characterDevice || kind == .blockDevice
        let device = isDevice ? UInt64(status.st_rdev) : 0
        attributes = TreeAttributes(
            kind: kind,
            mode: status.st_mode & 0o7777,
            // Whose the files of a context are says nothing in an image.
            uid: 0,
            gid: 0,
            size: kind == .file ? UInt64(clamping: status.st_size) : 0,
            modified: .init(
                seconds: Int64(status.st_mtim.tv_sec),
                nanoseconds: UInt32(clamping: status.st_mtim.tv_nsec)
            ),
            device: .init(
                major: UInt32(truncatingIfNeeded: device >> 8 & 0xfff | device >> 32 & ~0xfff),
                minor: UInt32(truncatingIfNeeded: device & 0xff | device >> 12 & ~0xff)
            )
        )
    }

    var identity: TreeIdentity? {
        guard !isDirectory, status.st_nlink > 1 else { return nil }
        return .host(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    func target() throws -> [UInt8] { try naming("read \(path)") { try parent.fd.target(of: name) } }

    /// Those that mean something in an image.
    func xattrs() throws -> [TarEntry.Xattr] {
        guard attributes.kind == .file || isDirectory else { return [] }
        return try naming("read \(path)") {
            try parent.fd.attributes(of: name).compactMap { attribute in
                let bytes = attribute.bytes
                guard bytes == Array("security.capability".utf8) || bytes.starts(with: "user.".utf8),
                    !bytes.starts(with: "user.overlay.".utf8), !bytes.starts(with: "user.containers.".utf8),
                    let value = try parent.fd.attribute(attribute, of: name, limit: 65536)
                else { return nil }
                return TarEntry.Xattr(name: bytes, value: value)
            }
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
        }
    }

    private func directory() throws(Errno) -> OpenFile {
        if let opened { return opened }
        if name.isItself { return parent }
        let file = OpenFile(try parent.fd.open(name, O_RDONLY | O_DIRECTORY))
        opened = file
        return file
    }

    func names() throws -> [[UInt8]] {
        guard isDirectory else { return [] }
        return try naming("read the directory \(path)") { try directory().fd.names() }
            .sorted { $0.lexicographicallyPrecedes($1) }
    }

    func child(_ name: [UInt8]) throws -> (any TreeFile)? {
        guard isDirectory, !name.isEmpty, name.count <= Int(NAME_MAX), !name.contains(0) else { return nil }
        do {
            let text = String(decoding: name, as: UTF8.self)
            return try HostFile(FileName(name), in: directory(), path: "\(path)/\(text)")
        } catch Errno.noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("read \(path)/\(String(decoding: name, as: UTF8.self))", error)
        }
    }

    func content() throws -> any ByteSource {
        try naming("open \(path)") {
            let fd = try parent.fd.open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            // Another process may have put something else there.
            let now = try fd.status()
            guard now.st_mode & S_IFMT == S_IFREG else { throw Failure("\(path) is not a file any more") }
            return FileSource(fd)
        }
    }
}
