import CLinux
import Glibc
import Linux
import SystemPackage

extension UnionTree {
    /// The upper node of `id`, copied up now if it is only in the lower. Of a regular file's data the first
    /// `size` bytes are copied, all by default.
    ///
    /// Preconditions: `names` is not locked. The copy is made in the work directory without any lock, at most
    /// once however many callers want it; only putting it in place takes the lock.
    func copyUp(_ id: UInt64, size: UInt64 = .max) throws(FSError) -> Node {
        if let node = table.find(id) { return node }
        let upper = try writable()
        let inode = try lowerInode(id)
        if try lower.inode(inode).isDirectory {
            names.lock()
            defer { names.unlock() }
            return try upperDirectory(id)
        }
        return try copyUps.exclusively(inode) { () throws(FSError) in
            if let node = table.find(id) { return node }
            let copy = try self.copy(inode, size: size, upper)
            names.lock()
            defer { names.unlock() }
            do throws(FSError) {
                return try publish(copy, of: inode, upper)
            } catch {
                try? upper.work.unlink(copy)
                throw error
            }
        }
    }

    /// The upper node of a directory, made now, with those above it, if it is only in the lower.
    /// ENOENT when it has been removed. Preconditions: `names` is locked.
    func upperDirectory(_ id: UInt64) throws(FSError) -> Node {
        if let node = table.find(id) {
            guard !node.isOrphan else { throw .system(.noSuchFileOrDirectory) }
            guard node.isDirectory else { throw .system(.notDirectory) }
            return node
        }
        let inode = try lowerInode(id)
        guard try lower.inode(inode).isDirectory else { throw .system(.notDirectory) }
        guard let link = try lower.names(of: inode).first else { throw .corruptIndex(offset: id) }
        let parent = try upperDirectory(NodeID.lower(link.directory))
        let name = FileName(link.name)
        switch try resolve(name, in: parent) {
        case .upper(let node) where node.id == id: return node
        case .lower(inode): return try copyUpDirectory(inode, name, in: parent)
        default: throw .system(.noSuchFileOrDirectory)
        }
    }

    /// The names under which a lower file can be seen: where each is. Preconditions: `names` is locked.
    func visibleNames(of inode: UInt32) throws(FSError) -> [(directory: UInt32, name: FileName)] {
        var visible: [(directory: UInt32, name: FileName)] = []
        for link in try lower.names(of: inode) {
            let name = FileName(link.name)
            switch try position(of: link.directory) {
            case .lower: visible.append((link.directory, name))
            case .upper(let node):
                // Not `resolve`, which finds a copied-up file under names that it has yet to get as well.
                if try listing(of: node)[name] == nil { visible.append((link.directory, name)) }
            case nil: continue
            }
        }
        return visible
    }

    /// What a lower directory is now; nil when it is hidden. Preconditions: `names` is locked.
    private func position(of directory: UInt32) throws(FSError) -> Resolved? {
        if let node = table.find(NodeID.lower(directory)) {
            return node.isOrphan || node.lower == nil ? nil : .upper(node)
        }
        guard directory != 0, let link = try lower.names(of: directory).first else { return nil }
        switch try position(of: link.directory) {
        case nil: return nil
        case .lower: return .lower(directory)
        case .upper(let parent):
            switch try resolve(FileName(link.name), in: parent) {
            case .lower(directory): return .lower(directory)
            case .upper(let node) where node.id == NodeID.lower(directory): return .upper(node)
            default: return nil
            }
        }
    }

    private func copyUpDirectory(_ inode: UInt32, _ name: FileName, in parent: Node) throws(FSError) -> Node {
        let upper = try writable()
        let record = try lower.inode(inode)
        let copy = upper.temporaryName()
        let attributes = try privateAttributes(of: inode, isMarked: false)
        let directory = try directory(parent)
        try FSError.wrap { () throws(Errno) in
            try upper.work.makeDirectory(copy, mode: 0o700)
            do throws(Errno) {
                try apply(record, attributes, to: copy, upper)
                try put(copy, in: directory, name, upper)
            } catch {
                try? upper.work.removeDirectory(copy)
                throw error
            }
        }
        let node = Node(
            id: NodeID.lower(inode),
            isDirectory: true,
            lower: inode,
            parent: nil,
            name: name
        )
        node.listing = Listing()
        node.isPinned = true
        place(node, name, in: parent)
        table.insert(node)
        try listing(of: parent).set(name, .entry)
        return node
    }

    /// A whole copy of a lower file in the work directory; its name.
    private func copy(_ inode: UInt32, size: UInt64, _ upper: Upper) throws(FSError) -> FileName {
        let record = try lower.inode(inode)
        let copy = upper.temporaryName()
        do throws(FSError) {
            if record.isRegular {
                try copyData(of: inode, record, size: min(size, record.size), to: copy, upper)
            } else if record.isSymlink {
                let target = FileName(try lower.target(of: inode))
                try FSError.wrap { () throws(Errno) in try upper.work.makeSymlink(copy, target: target) }
            } else {
                try FSError.wrap { () throws(Errno) in
                    try upper.work.makeNode(copy, mode: record.mode & S_IFMT | 0o600, device: record.rdev)
                }
            }
            let attributes = try privateAttributes(of: inode, isMarked: upper.canMark(record.mode))
            try FSError.wrap { () throws(Errno) in
                try apply(record, attributes, to: copy, upper)
                if record.isRegular, !upper.isVolatile {
                    // Before the rename: after a power cut the name must not lead to half a file.
                    try upper.work.open(copy, O_RDONLY).synchronize()
                }
            }
        } catch {
            try? upper.work.unlink(copy)
            throw error
        }
        return copy
    }

    private func copyData(
        of inode: UInt32,
        _ record: LowerInode,
        size: UInt64,
        to copy: FileName,
        _ upper: Upper
    ) throws(FSError) {
        let fd = try FSError.wrap { () throws(Errno) in
            try upper.work.open(copy, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        }
        guard size > 0 else { return }
        let located = try lower.locate(inode)
        let (file, start) = (located.file, located.start)
        let isWhole = located.isWhole && size == record.size
        let length = try FSError.wrap { () throws(Errno) in UInt64(try file.fd.status().st_size) }
        guard start <= length, size <= length - start else { throw .system(.ioError) }
        try FSError.wrap { () throws(Errno) in
            // Shares the blocks where the filesystem can.
            if isWhole, length == size, fd.use({ to in file.fd.use { clinux_clone_file(to, $0) } }) == 0 {
                return
            }
            try fd.truncate(to: size)
            try FileCopy.copy(from: file.fd, at: start, to: fd, count: size)
        }
    }

    /// The extended attributes a copy gets: the file's own, those in the union's namespace escaped, and ours.
    private func privateAttributes(
        of inode: UInt32,
        isMarked: Bool
    ) throws(FSError) -> [(name: String, value: [UInt8])] {
        var list: [(name: String, value: [UInt8])] = []
        let marks = try writable().marks
        try lower.forEachXattr(of: inode) { (name, value) throws(FSError) in
            list.append((marks.stored(String(decoding: name, as: UTF8.self)), [UInt8](value)))
            return true
        }
        if isMarked { list.append((marks.origin, try lower.mark(of: inode))) }
        return list
    }

    private func apply(
        _ record: LowerInode,
        _ attributes: [(name: String, value: [UInt8])],
        to copy: FileName,
        _ upper: Upper
    ) throws(Errno) {
        // The owner first: changing it drops set-id bits and capabilities.
        try upper.work.changeOwner(copy, uid: record.uid, gid: record.gid)
        if !record.isSymlink { try upper.work.changeMode(copy, record.mode) }
        for (name, value) in attributes {
            try upper.copyAttribute(name, value, to: copy, mode: record.mode)
        }
        let time = timespec(tv_sec: Int(record.mtime.seconds), tv_nsec: Int(record.mtime.nanoseconds))
        try upper.work.changeTimes(copy, access: time, modification: time)
    }

    /// Renames a copy into place and gives the directory its times back: nothing in it changed, as users see it.
    private func put(
        _ copy: FileName,
        in directory: OpenFile,
        _ name: FileName,
        _ upper: Upper
    ) throws(Errno) {
        let before = try directory.fd.status(of: FileName("."))
        try upper.work.rename(copy, to: directory.fd, name)
        try directory.fd.changeTimes(
            FileName("."),
            access: before.st_atim,
            modification: before.st_mtim
        )
    }

    /// Puts the copy of a file under all its visible names, or among the orphans when it has none.
    ///
    /// A file with several names gets them all at once, so that the upper alone says that they are one file,
    /// to us after a remount as to anybody who reads an upper directory.
    private func publish(_ copy: FileName, of inode: UInt32, _ upper: Upper) throws(FSError) -> Node {
        let visible = try visibleNames(of: inode)
        let node = Node(
            id: NodeID.lower(inode),
            isDirectory: false,
            lower: inode,
            parent: nil,
            name: copy
        )
        node.isPinned = true
        if try !upper.canMark(lower.inode(inode).mode) {
            let status = try FSError.wrap { () throws(Errno) in try upper.work.status(of: copy) }
            unmarked[UInt64(status.st_ino)] = node
        }
        guard !visible.isEmpty else {
            try FSError.wrap { () throws(Errno) in
                try upper.work.rename(copy, to: upper.orphans, FileName("\(node.id)"))
            }
            node.isOrphan = true
            table.insert(node)
            return node
        }
        var places: [(node: Node, name: FileName)] = []
        for (directory, name) in visible {
            places.append((try upperDirectory(NodeID.lower(directory)), name))
        }
        if places.count == 1 {
            let directory = try directory(places[0].node)
            try FSError.wrap { () throws(Errno) in try put(copy, in: directory, places[0].name, upper) }
        } else {
            let pending = Upper.pendingName(try lower.mark(of: inode))
            try FSError.wrap { () throws(Errno) in try upper.work.rename(copy, to: upper.links, pending) }
            try putLinks(pending, places, upper)
        }
        place(node, places[0].name, in: places[0].node)
        table.insert(node)
        for (parent, name) in places { try listing(of: parent).set(name, .entry) }
        return node
    }

    /// Links a file in work/links to its places; what a crash interrupts here, `recover` finishes.
    func putLinks(
        _ pending: FileName,
        _ places: [(node: Node, name: FileName)],
        _ upper: Upper
    ) throws(FSError) {
        for (parent, name) in places {
            let directory = try directory(parent)
            try FSError.wrap { () throws(Errno) in
                let before = try directory.fd.status(of: FileName("."))
                try upper.links.link(pending, to: directory.fd, name)
                try directory.fd.changeTimes(
                    FileName("."),
                    access: before.st_atim,
                    modification: before.st_mtim
                )
            }
        }
        try FSError.wrap { () throws(Errno) in try upper.links.unlink(pending) }
    }
}
