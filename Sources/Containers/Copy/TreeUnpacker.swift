import Linux
import SystemPackage
import Tar

import Glibc

/// Unpacks a tar below a directory and never anywhere else, whatever the tar and the owners of the tree do.
final class TreeUnpacker {
    /// The directory to unpack into.
    struct Place {
        /// A container's root, in which links are resolved as in the container; else the directory itself, in which
        /// no link is followed.
        let root: OpenFile
        let isRoot: Bool
        /// Relative to the root; empty for the root itself.
        let path: FilePath

        func directory(_ components: some Collection<[UInt8]>) throws(Errno) -> OwnedFD {
            var below = path
            if !components.isEmpty {
                // In one push: each would copy the whole path again.
                below.push(FilePath(name: Array(components.joined(separator: [UInt8(ascii: "/")]))))
            }
            if below.isEmpty { return try root.fd.duplicate() }
            return isRoot
                ? try root.fd.open(inRoot: below, O_PATH | O_DIRECTORY)
                : try root.fd.open(beneath: below, O_PATH | O_DIRECTORY)
        }
    }

    /// The owner of every unpacked file, which then gets no set-id bits and no capabilities; nil: as the tar has it.
    typealias Owner = (uid: UInt32, gid: UInt32)

    private let place: Place
    private let owner: Owner?
    /// Directories get their times last, because making files in them changes these.
    private var times: [(path: [[UInt8]], entry: TarEntry)] = []
    /// The directory used last: as a rule the next entry is in it as well.
    private var latest: (path: [[UInt8]], directory: OpenFile)?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)

    init(_ place: Place, owner: Owner?) {
        self.place = place
        self.owner = owner
    }

    deinit { buffer.deallocate() }

    func unpack(_ source: some ByteSource, named: String) throws {
        var tar = TarReader(source, named: named)
        while let entry = try tar.next() {
            let path = try components(of: entry.path)
            guard let name = path.last else { continue }
            do {
                let above = try opened(Array(path.dropLast()))
                try make(entry, name, in: above.fd, &tar)
            } catch let errno as Errno {
                throw Failure("make \(String.quoting(entry.path))", errno)
            }
            if entry.kind == .directory { times.append((path, entry)) }
        }
        for (path, entry) in times.reversed() {
            guard let directory = try? place.directory(path) else { continue }
            TreeUnpacker.setTimes(entry, ".", directory)
        }
    }

    private func components(of path: [UInt8]) throws -> [[UInt8]] {
        let parts = path.split(separator: UInt8(ascii: "/")).map { Array($0) }.filter { $0 != [0x2e] }
        guard !parts.contains([0x2e, 0x2e]), !path.contains(0) else {
            throw Failure("\(String.quoting(path)) leads out of where it is to be unpacked")
        }
        return parts
    }

    private func opened(_ path: [[UInt8]]) throws(Errno) -> OpenFile {
        if let latest, latest.path == path { return latest.directory }
        let directory = OpenFile(try parent(path[...]))
        latest = (path, directory)
        return directory
    }

    private func parent(_ path: ArraySlice<[UInt8]>) throws(Errno) -> OwnedFD {
        do throws(Errno) {
            return try place.directory(path)
        } catch {
            guard error == .noSuchFileOrDirectory else { throw error }
        }
        guard let name = path.last else { throw .noSuchFileOrDirectory }
        let above = try parent(path.dropLast())
        try TreeUnpacker.call(name) { name in above.use { mkdirat($0, name, 0o755) } }
        let owner = owner ?? (0, 0)
        try TreeUnpacker.call(name) { name in
            above.use { fchownat($0, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) }
        }
        return try place.directory(path)
    }

    /// Replaces what exists, except directories, which stay.
    private func make(
        _ entry: TarEntry,
        _ name: [UInt8],
        in parent: borrowing OwnedFD,
        _ tar: inout TarReader
    ) throws {
        let there = try? parent.open(FilePath(name: name), O_PATH | O_NOFOLLOW).status()
        if let there {
            let isDirectory = there.st_mode & S_IFMT == S_IFDIR
            guard isDirectory == (entry.kind == .directory) else {
                let words = String.quoting(entry.path)
                throw Failure(
                    isDirectory
                        ? "\(words) is a directory where it is to be, and none here"
                        : "\(words) is no directory where it is to be, and one here",
                    advice: "Remove it there first."
                )
            }
            if !isDirectory { try TreeUnpacker.call(name) { name in parent.use { unlinkat($0, name, 0) } } }
        }
        let type: mode_t
        switch entry.kind {
        case .file: return try makeFile(entry, name, in: parent, &tar)
        case .hardLink:
            let target = try components(of: entry.linkTarget)
            guard let first = target.last else { throw Errno.invalidArgument }
            let above = try place.directory(target.dropLast())
            return try TreeUnpacker.call(first) { old in
                let terminated = name.map { CChar(bitPattern: $0) } + [0]
                return above.use { from in parent.use { linkat(from, old, $0, terminated, 0) } }
            }
        case .symbolicLink:
            let target = entry.linkTarget.map { CChar(bitPattern: $0) } + [0]
            try TreeUnpacker.call(name) { name in parent.use { symlinkat(target, $0, name) } }
            try setOwner(entry, name, in: parent)
            return TreeUnpacker.setTimes(entry, name, parent)
        case .directory:
            if there == nil {
                try TreeUnpacker.call(name) { name in parent.use { mkdirat($0, name, 0o700) } }
            }
            try setOwner(entry, name, in: parent)
            let opened = try parent.open(FilePath(name: name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            try Errno.check(opened.use { fchmod($0, mode(of: entry)) })
            return setXattrs(entry, of: opened)
        case .characterDevice where !place.isRoot, .blockDevice where !place.isRoot:
            // In a container any device may be made: the root is mounted nodev. On the host it could be opened.
            throw Failure(
                "\(String.quoting(entry.path)) is a device, and none is made on the host",
                advice: "As a tar it can be had: mica cp NAME:PATH -"
            )
        case .characterDevice: type = S_IFCHR
        case .blockDevice: type = S_IFBLK
        case .fifo: type = S_IFIFO
        }
        let (major, minor) = (UInt(entry.device.major), UInt(entry.device.minor))
        let device = major << 8 & 0xfff00 | minor & 0xff | (minor & 0xfff00) << 12
        try TreeUnpacker.call(name) { name in parent.use { mknodat($0, name, type, device) } }
        try setOwner(entry, name, in: parent)
        // The owner of the directory may have put a link in its place, which would be followed on the host:
        // EOPNOTSUPP. Any other file they put there is theirs, and gets no set-id bits, which mean nothing for these
        // types.
        let bits = mode(of: entry) & 0o1777
        try TreeUnpacker.call(name) { name in
            parent.use { fchmodat($0, name, bits, AT_SYMLINK_NOFOLLOW) }
        }
        TreeUnpacker.setTimes(entry, name, parent)
    }

    private func makeFile(
        _ entry: TarEntry,
        _ name: [UInt8],
        in parent: borrowing OwnedFD,
        _ tar: inout TarReader
    )
        throws
    {
        let file = try parent.open(
            FilePath(name: name),
            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
            mode: 0o600
        )
        var offset: UInt64 = 0
        for extent in entry.extents ?? [.init(offset: 0, length: entry.size)] {
            offset = extent.offset
            var left = extent.length
            while left > 0 {
                let piece = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[..<Int(min(left, UInt64(buffer.count)))]
                )
                let count = try tar.read(into: piece)
                guard count > 0 else { break }
                try file.writeAll(UnsafeRawBufferPointer(rebasing: piece[..<count]), at: offset)
                offset += UInt64(count)
                left -= UInt64(count)
            }
        }
        if entry.extents != nil { try file.truncate(to: entry.size) }
        // In this order: a change of owner clears set-id bits and capabilities.
        let (uid, gid) = owner ?? (entry.uid, entry.gid)
        try Errno.check(file.use { fchown($0, uid, gid) })
        try Errno.check(file.use { fchmod($0, mode(of: entry)) })
        setXattrs(entry, of: file)
        TreeUnpacker.setTimes(entry, name, parent)
    }

    private func setOwner(_ entry: TarEntry, _ name: [UInt8], in parent: borrowing OwnedFD) throws(Errno) {
        let (uid, gid) = owner ?? (entry.uid, entry.gid)
        try TreeUnpacker.call(name) { name in
            parent.use { fchownat($0, name, uid, gid, AT_SYMLINK_NOFOLLOW) }
        }
    }

    private func mode(of entry: TarEntry) -> mode_t {
        owner == nil ? entry.mode : entry.mode & (entry.kind == .directory ? 0o1777 : 0o777)
    }

    /// Attributes that the filesystem does not support are left out, as by tar(1).
    private func setXattrs(_ entry: TarEntry, of file: borrowing OwnedFD) {
        for xattr in entry.xattrs {
            let isRight = xattr.name.elementsEqual("security.capability".utf8) && owner == nil
            guard isRight || xattr.name.starts(with: "user.".utf8) else { continue }
            try? Xattr.set(XattrName(xattr.name), xattr.value, of: file)
        }
    }

    private static func setTimes(_ entry: TarEntry, _ name: [UInt8], _ parent: borrowing OwnedFD) {
        let time = timespec(
            tv_sec: Int(clamping: entry.modified.seconds),
            tv_nsec: Int(entry.modified.nanoseconds)
        )
        _ = try? call(name) { name in parent.use { utimensat($0, name, [time, time], AT_SYMLINK_NOFOLLOW) } }
    }

    private static func setTimes(_ entry: TarEntry, _ name: String, _ parent: borrowing OwnedFD) {
        setTimes(entry, Array(name.utf8), parent)
    }

    /// Turns -1 into a thrown errno.
    private static func call(_ name: [UInt8], _ body: ([CChar]) -> CInt) throws(Errno) {
        try Errno.check(body(name.map { CChar(bitPattern: $0) } + [0]))
    }
}
