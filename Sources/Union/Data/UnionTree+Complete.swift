import CLinux
import Glibc
import Linux
import Overlay
import SystemPackage

/// Completing the data of files that were copied up without all of it.
extension UnionTree {
    /// Copies up as much data as `needed` of a file that has only its attributes, or a part of its data, in
    /// the upper. It works in place: names and st_ino stay, and a crash or a full disk leaves the file as it
    /// was.
    ///
    /// Preconditions: `names` is not locked; no other thread completes this node.
    func complete(_ node: Node, _ needed: NeededData) throws(FSError) {
        switch node.data {
        case .upper: return
        case .lost: if needed != .none { throw .system(.ioError) }
        case .damaged: if needed != .none { throw .system(Errno(rawValue: EUCLEAN)) }
        case .partial(let data):
            guard needed == .all else { return }
            let file = try partial(node, data)
            var position: UInt64 = 0
            while try file.fill(from: &position, count: 1 << 20) {}
            if !(try writable().isVolatile) {
                try FSError.wrap { () throws(Errno) in try file.file.fd.synchronize() }
            }
            data.lock.lockAlone()
            defer { data.lock.unlock() }
            try file.finish()
        case .lower(let inode):
            guard needed != .none else { return }
            try completeAttributes(node, inode, needed)
        }
    }

    /// The data in the file counts for nothing until the attribute that says where the data is goes, as the
    /// last step.
    private func completeAttributes(_ node: Node, _ inode: UInt32, _ needed: NeededData) throws(FSError) {
        let file = try open(node)
        try node.keepingStatus(in: file.fd) { () throws(FSError) in
            try completeAttributes(node, file, inode, needed)
        }
    }

    private func completeAttributes(
        _ node: Node,
        _ file: OpenFile,
        _ inode: UInt32,
        _ needed: NeededData
    ) throws(FSError) {
        let upper = try writable()
        let record = try lower.inode(inode)
        let before = try FSError.wrap { () throws(Errno) in try file.fd.status() }
        let capability = try FSError.wrap { () throws(Errno) in try Xattr.get(Upper.capability, of: file.fd) }
        var size = UInt64(before.st_size)
        let isCloned = size == record.size ? try clone(inode, to: file.fd, size) : false
        if isCloned {
            // Where the filesystem keeps order, cloned blocks, being metadata, are on disk before the
            // attribute goes.
            if !upper.abilities.keepsOrder, !upper.isVolatile {
                try FSError.wrap { () throws(Errno) in try file.fd.synchronize() }
            }
        } else {
            if needed != .all, capability == nil, upper.canBePartial(before.st_mode) {
                return try beginPartial(node, inode, file, before, upper)
            }
            var isCut = false
            if case .first(let limit) = needed, limit < size {
                size = limit
                isCut = true
            }
            try fill(file.fd, from: inode, record, size: min(size, record.size))
            try FSError.wrap { () throws(Errno) in
                if isCut { try file.fd.truncate(to: size) }
                // The data must be on disk before the attribute that makes it count goes.
                if !upper.isVolatile { try file.fd.synchronize() }
            }
        }
        names.lock()
        defer { names.unlock() }
        try FSError.wrap { () throws(Errno) in
            // Writing the data dropped set-id bits and capabilities.
            let after = try file.fd.status()
            if after.st_mode != before.st_mode, upper.losesSetID(before.st_mode) {
                try Errno.check(file.fd.use { fchmod($0, before.st_mode & 0o7777) })
            }
            if let capability { try Xattr.set(Upper.capability, capability, of: file.fd) }
            let times = [before.st_atim, before.st_mtim]
            try Errno.check(file.fd.use { futimens($0, times) })
            try upper.marks.removeData(of: file.fd, isPartial: false, hasMap: false)
        }
        node.needsSync = true
        node.data = .upper
    }

    /// Marks the file partial: data written into it counts from now on, and its holes stand for the lower's
    /// data.
    private func beginPartial(
        _ node: Node,
        _ inode: UInt32,
        _ file: OpenFile,
        _ status: FileStatus,
        _ upper: Upper
    ) throws(FSError) {
        let size = try lower.inode(inode).size
        // Another overlay may have written the `metacopy` mark.
        try noteMarks()
        try FSError.wrap { () throws(Errno) in
            if try file.fd.data(from: 0) != nil {
                // An earlier completion was interrupted.
                try file.fd.truncate(to: 0)
                try file.fd.truncate(to: UInt64(status.st_size))
                let times = [status.st_atim, status.st_mtim]
                try Errno.check(file.fd.use { futimens($0, times) })
            }
            try upper.markPartial(file.fd)
        }
        // fdatasync(2) need not write the mark to disk.
        node.needsSync = true
        fills.add(node.id)
        let limit = min(size, UInt64(status.st_size))
        names.locked { node.isPinned = true }
        unsealed.add(node)
        node.data = .partial(
            PartialData(
                inode: inode,
                limit: limit,
                marked: size,
                block: upper.block(of: status),
                isSealed: false,
                isNew: status.st_blocks == 0
            )
        )
    }

    /// Makes `fd`, a file of `size` bytes, share the blocks of a lower file of the same size. False where the
    /// filesystem can't.
    func clone(_ inode: UInt32, to fd: borrowing OwnedFD, _ size: UInt64) throws(FSError) -> Bool {
        guard size > 0 else { return true }
        let located = try lower.locate(inode)
        guard located.isWhole else { return false }
        return try FSError.wrap { () throws(Errno) in
            guard try UInt64(clamping: located.file.fd.status().st_size) == size else { return false }
            return fd.use { to in located.file.fd.use { clinux_clone_file(to, $0) } } == 0
        }
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
        do throws(Errno) {
            let length = UInt64(try file.fd.status().st_size)
            guard start <= length, size <= length - start else { throw .ioError }
            try FileCopy.copy(from: file.fd, at: start, to: fd, count: size)
        } catch {
            throw .system(error)
        }
    }

    /// Records where the data of a file without data is, before the file gets another name or place, by which
    /// the data could no longer be found. The record is true at the old place as well, so a crash is
    /// harmless.
    func noteData(
        _ held: HeldNames,
        of node: Node,
        _ name: FileName,
        in directory: OpenFile,
        _ upper: Upper
    ) throws(FSError) {
        let inode: UInt32
        switch node.data {
        case .upper, .lost, .damaged: return
        case .lower(let number): inode = number
        case .partial(let data): inode = data.inode
        }
        let path = try lower.path(of: inode)
        try noteMarks(held)
        try setRedirect(held, name, in: directory, to: path, upper)
    }

    /// Where the data of a regular file in the upper is.
    func dataPlace(
        _ held: HeldNames,
        of name: FileName,
        in directory: Node,
        _ fd: OpenFile,
        _ status: FileStatus,
        origin: UInt32?
    ) throws(FSError) -> DataPlace {
        let upper = try writable()
        let marked = try FSError.wrap { () throws(Errno) in try upper.marks.data(name, in: fd.fd) }
        if marked.isHere { return .upper }
        var found = origin
        if try found.map({ (inode) throws(FSError) in try lower.inode(inode).isRegular }) != true {
            found = try lowerPart(held, of: name, in: directory, fd)
        }
        guard let found, try lower.inode(found).isRegular else { return .lost }
        let mark: PartialMark
        switch marked {
        case .here: return .upper
        case .below: return .lower(found)
        case .partial(let known): mark = known
        case .unknown: return .lost
        }
        let limit = min(try lower.inode(found).size, mark.limit ?? .max)
        let end = min(limit, UInt64(status.st_size))
        let (isTaken, isSealed) = try FSError.wrap { () throws(Errno) in
            (
                try upper.takes(mark, of: name, in: fd.fd, below: end),
                try mark.mayHaveMap(name, in: fd.fd)
            )
        }
        guard isTaken else {
            let path = path(held, of: name, in: directory)
            report(
                "\(path) is a copy that does not have the holes of the file that it was made of, and so can't be read:"
                    + " copy the upper again, with its holes and while it is not mounted, or materialize it first"
            )
            return .damaged
        }
        return .partial(
            PartialData(
                inode: found,
                limit: end,
                marked: limit,
                block: upper.block(of: status),
                isSealed: isSealed,
                isNew: false
            )
        )
    }

    /// The path of a name as messages show it.
    private func path(_ held: HeldNames, of name: FileName, in directory: Node) -> String {
        var components = [name.bytes]
        var node = directory
        while let parent = node.parent {
            components.append(node.name.bytes)
            node = parent
        }
        return components.reversed().map { "/" + String(decoding: $0, as: UTF8.self) }.joined()
    }

    /// The lower inode that an upper file's redirect leads to or, without a redirect, its namesake in the
    /// lower.
    func lowerPart(_ held: HeldNames, of name: FileName, in directory: Node, _ fd: OpenFile) throws(FSError)
        -> UInt32?
    {
        let marks = try writable().marks
        let path = try FSError.wrap { () throws(Errno) in try marks.redirect(name, in: fd.fd) }
        guard let path else { return try lowerEntry(name, in: directory) }
        if path.first == UInt8(ascii: "/") { return try lower.number(at: path) }
        return try lowerEntry(FileName(path), in: directory)
    }
}
