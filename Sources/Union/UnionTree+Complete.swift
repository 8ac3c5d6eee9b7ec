import CLinux
import Glibc
import Linux
import SystemPackage

/// The data of files that were copied up without it.
extension UnionTree {
    /// Brings the data of a file into the upper, where only its attributes are by now. In place: names and
    /// st_ino stay, and until the attribute that says where the data is goes, as the last thing, what was written
    /// means nothing. So a crash or a full disk leaves the file as it was.
    ///
    /// Preconditions: `names` is not locked; nobody else completes this node.
    func complete(_ node: Node, _ needed: NeededData) throws(FSError) {
        let inode: UInt32
        switch node.data {
        case .upper: return
        case .lost: throw .system(.ioError)
        case .lower(let number): inode = number
        }
        guard needed != .none else { return }
        let upper = try writable()
        let file = try open(node)
        let record = try lower.inode(inode)
        let before = try FSError.wrap { () throws(Errno) in try file.fd.status() }
        let capability = try FSError.wrap { () throws(Errno) in try Xattr.get(Upper.capability, of: file.fd) }
        var size = UInt64(before.st_size)
        var isCut = false
        if case .first(let limit) = needed, limit < size {
            size = limit
            isCut = true
        }
        try fill(file.fd, from: inode, record, size: min(size, record.size))
        try FSError.wrap { () throws(Errno) in
            if isCut { try file.fd.truncate(to: size) }
            // The data before the attribute that makes it count.
            if !upper.isVolatile { try file.fd.synchronize() }
        }
        names.lock()
        defer { names.unlock() }
        try FSError.wrap { () throws(Errno) in
            // Writing dropped them.
            let after = try file.fd.status()
            if after.st_mode != before.st_mode, upper.losesSetID(before.st_mode) {
                try Errno.check(file.fd.use { fchmod($0, before.st_mode & 0o7777) })
            }
            if let capability { try Xattr.set(Upper.capability, capability, of: file.fd) }
            let times = [before.st_atim, before.st_mtim]
            try Errno.check(file.fd.use { futimens($0, times) })
            try Errno.check(file.fd.use { fremovexattr($0, upper.marks.metacopy) })
        }
        node.needsSync = true
        node.data = .upper
    }

    /// Copies the first `size` bytes of a lower file to `fd`, which is a hole of at least that size.
    func fill(
        _ fd: borrowing OwnedFD,
        from inode: UInt32,
        _ record: LowerInode,
        size: UInt64
    ) throws(FSError) {
        guard size > 0 else { return }
        let located = try lower.locate(inode)
        let (file, start) = (located.file, located.start)
        let isWhole = located.isWhole && size == record.size
        do throws(Errno) {
            let length = UInt64(try file.fd.status().st_size)
            guard start <= length, size <= length - start else { throw .ioError }
            // Shares the blocks where the filesystem can.
            if isWhole, length == size, fd.use({ to in file.fd.use { clinux_clone_file(to, $0) } }) == 0 {
                return
            }
            try FileCopy.copy(from: file.fd, at: start, to: fd, count: size)
        } catch {
            throw .system(error)
        }
    }

    /// Before a file without data gets another name or place: notes where the data is, which its old name says
    /// no longer. True at the old place as well, so a crash is harmless.
    func noteData(
        of node: Node,
        _ name: FileName,
        in directory: OpenFile,
        _ upper: Upper
    ) throws(FSError) {
        guard case .lower(let inode) = node.data else { return }
        let path = try lower.path(of: inode)
        try FSError.wrap { () throws(Errno) in
            try directory.fd.setAttribute(upper.marks.redirect, of: name, to: path)
        }
    }

    /// Where the data of a regular file in the upper is.
    func dataPlace(
        of name: FileName,
        in directory: Node,
        _ fd: OpenFile,
        origin: UInt32?
    ) throws(FSError) -> DataPlace {
        let marks = try writable().marks
        let metacopy = try FSError.wrap { () throws(Errno) in
            // struct ovl_metacopy with the largest digest has 68 bytes.
            try fd.fd.attribute(marks.metacopy, of: name, limit: 256)
        }
        guard metacopy != nil else { return .upper }
        if let origin, try lower.inode(origin).isRegular { return .lower(origin) }
        guard let found = try lowerPart(of: name, in: directory, fd), try lower.inode(found).isRegular else {
            return .lost
        }
        return .lower(found)
    }

    /// What an upper file's redirect leads to, or its namesake in the lower.
    func lowerPart(of name: FileName, in directory: Node, _ fd: OpenFile) throws(FSError) -> UInt32? {
        let redirect = try writable().marks.redirect
        let path = try FSError.wrap { () throws(Errno) in try fd.fd.attribute(redirect, of: name) }
        guard let path else { return try lowerEntry(name, in: directory) }
        if path.first == UInt8(ascii: "/") { return try lower.number(at: path) }
        return try lowerEntry(FileName(path), in: directory)
    }
}
