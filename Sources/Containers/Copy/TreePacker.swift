import Linux
import SystemPackage
import Tar

import Glibc

/// Writes files and directories, seen through an open directory, as a tar. It follows no link and records a mounted
/// directory without its contents. The tree may change meanwhile.
final class TreePacker {
    private struct Identity: Hashable {
        let device: UInt
        let inode: UInt
    }

    private var tar: TarWriter
    /// The first path of each file that has several.
    private var written: [Identity: [UInt8]] = [:]
    private let showsMounted: Bool
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)

    /// `showsMounted`: a file mounted over another one is packed with its content; else as an empty file.
    init(showsMounted: Bool, to sink: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.showsMounted = showsMounted
        tar = TarWriter(to: sink)
    }

    deinit { buffer.deallocate() }

    /// Nothing may be added afterwards.
    func finish() throws { try tar.finish() }

    /// Packs `name` in `directory` with everything below it as `path`; with an empty `path`, only what is in it.
    func add(_ name: [UInt8], in directory: borrowing OwnedFD, as path: [UInt8]) throws {
        var failure: (any Error)?
        func trying<R>(_ body: () throws -> R) throws(Errno) -> R {
            do { return try body() } catch {
                failure = error
                throw .canceled
            }
        }
        if try addedFile(name, in: directory, as: path) { return }
        // The tar paths of the directories from the top to the current one.
        var places: [[UInt8]] = []
        func place(of name: [UInt8]) -> [UInt8] {
            guard let last = places.last else { return path }  // the top
            return last.isEmpty ? name : last + [UInt8(ascii: "/")] + name
        }
        do {
            try TreeWalk.walk(
                name,
                in: directory,
                open: { (above, name) throws(Errno) in
                    let path = place(of: name)
                    guard let opened = try TreePacker.directory(name, in: above) else {
                        // It is gone, or on another filesystem.
                        let there = try? above.open(FilePath(name: name), O_PATH | O_NOFOLLOW).status()
                        if let there { try trying { try self.addDirectory(there, [], as: path) } }
                        return nil
                    }
                    try trying {
                        try self.addDirectory(try opened.status(), TreePacker.xattrs(of: opened), as: path)
                    }
                    places.append(path)
                    return opened
                },
                arrive: { (directory) throws(Errno) in
                    let names = try directory.names().sorted { $1.lexicographicallyPrecedes($0) }
                    var directories: [[UInt8]] = []
                    for name in names
                    where try trying({ try !self.addedFile(name, in: directory, as: place(of: name)) }) {
                        directories.append(name)
                    }
                    return directories
                },
                leave: { (_, _) throws(Errno) in places.removeLast() }
            )
        } catch {
            throw failure ?? Failure("read \(String.quoting(place(of: name)))", error)
        }
    }

    /// false for a directory. A file that is gone is passed over, and so is a socket, which no tar can hold.
    private func addedFile(_ name: [UInt8], in directory: borrowing OwnedFD, as path: [UInt8]) throws -> Bool
    {
        guard let place = try TreePacker.place(name, in: directory, path) else { return true }
        let status = try place.status()
        var entry = TreePacker.entry(status, path)
        if !showsMounted, status.st_mode & S_IFMT != S_IFDIR, isMounted(name, in: directory) {
            try tar.add(entry)
            return true
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return false
        case S_IFSOCK: return true
        case S_IFLNK:
            entry.kind = .symbolicLink
            entry.linkTarget = try place.linkTarget()
        case S_IFIFO: entry.kind = .fifo
        case S_IFCHR: entry.kind = .characterDevice
        case S_IFBLK: entry.kind = .blockDevice
        default: entry.kind = .file
        }
        if status.st_nlink > 1 {
            let identity = Identity(device: status.st_dev, inode: status.st_ino)
            if let first = written[identity] {
                entry.kind = .hardLink
                entry.linkTarget = first
                try tar.add(entry)
                return true
            }
            written[identity] = path
        }
        guard entry.kind == .file else {
            try tar.add(entry)
            return true
        }
        let file = try naming("open \(String.quoting(path))") { try place.reopened(O_RDONLY) }
        entry.size = UInt64(clamping: status.st_size)
        entry.xattrs = TreePacker.xattrs(of: file)
        try tar.add(entry)
        try addContent(of: file, entry.size, path)
        return true
    }

    /// nil for a directory that is gone or on another filesystem.
    private static func directory(_ name: [UInt8], in above: borrowing OwnedFD) throws(Errno) -> OwnedFD? {
        do throws(Errno) {
            return try above.openDirectory(name)
        } catch {
            guard error == .noSuchFileOrDirectory || error.rawValue == EXDEV else { throw error }
            return nil
        }
    }

    /// O_PATH. nil for a file that is gone.
    private static func place(_ name: [UInt8], in directory: borrowing OwnedFD, _ path: [UInt8]) throws
        -> OwnedFD?
    {
        do throws(Errno) {
            return try directory.open(FilePath(name: name), O_PATH | O_NOFOLLOW)
        } catch {
            guard error == .noSuchFileOrDirectory else {
                throw Failure("open \(String.quoting(path))", error)
            }
            return nil
        }
    }

    private func isMounted(_ name: [UInt8], in directory: borrowing OwnedFD) -> Bool {
        do throws(Errno) {
            _ = try directory.open(beneath: FilePath(name: name), O_PATH | O_NOFOLLOW, onThisMount: true)
            return false
        } catch {
            return error.rawValue == EXDEV
        }
    }

    /// Packs the size that was recorded: data added since is left out, data gone since becomes zeros.
    private func addContent(of file: borrowing OwnedFD, _ size: UInt64, _ path: [UInt8]) throws {
        var left = size
        while left > 0 {
            let piece = UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<Int(min(left, UInt64(buffer.count)))]
            )
            let count = try naming("read \(String.quoting(path))") { try file.readFully(into: piece) }
            if count < piece.count { piece[count...].initializeMemory(as: UInt8.self, repeating: 0) }
            try tar.write(UnsafeRawBufferPointer(piece))
            left -= UInt64(piece.count)
        }
    }

    private func addDirectory(_ status: FileStatus, _ xattrs: [TarEntry.Xattr], as path: [UInt8]) throws {
        guard !path.isEmpty else { return }
        var entry = TreePacker.entry(status, path)
        entry.kind = .directory
        entry.xattrs = xattrs
        try tar.add(entry)
    }

    private static func entry(_ status: FileStatus, _ path: [UInt8]) -> TarEntry {
        TarEntry(
            path: path,
            kind: .file,
            mode: status.st_mode & 0o7777,
            uid: status.st_uid,
            gid: status.st_gid,
            modified: .init(
                seconds: Int64(status.st_mtim.tv_sec),
                nanoseconds: UInt32(clamping: status.st_mtim.tv_nsec)
            ),
            device: .init(
                major: UInt32(truncatingIfNeeded: status.st_rdev >> 8 & 0xfff),
                minor: UInt32(truncatingIfNeeded: status.st_rdev & 0xff | status.st_rdev >> 12 & 0xfff00)
            )
        )
    }

    /// Only users' own attributes and capabilities: no others mean anything elsewhere.
    private static func xattrs(of file: borrowing OwnedFD) -> [TarEntry.Xattr] {
        let names = (try? Xattr.names(of: file)) ?? []
        return names.compactMap { name in
            let bytes = name.bytes
            guard bytes.starts(with: "user.".utf8) || bytes.elementsEqual("security.capability".utf8),
                let value = try? Xattr.get(name, of: file)
            else { return nil }
            return TarEntry.Xattr(name: Array(bytes), value: value)
        }
    }
}

extension FilePath {
    /// One component, taken literally.
    init(name: [UInt8]) { self.init(platformString: name.map { CChar(bitPattern: $0) } + [0]) }
}

extension OwnedFD {
    /// The target of a symbolic link that was itself opened (O_PATH).
    func linkTarget() throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = use { raw in
            bytes.withUnsafeMutableBytes { buffer in
                buffer.baseAddress.map {
                    readlinkat(raw, "", $0.assumingMemoryBound(to: CChar.self), buffer.count)
                } ?? -1
            }
        }
        return Array(bytes[..<(try Errno.check(count))])
    }
}
