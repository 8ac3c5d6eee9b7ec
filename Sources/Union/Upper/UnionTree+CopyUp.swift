import CLinux
import Glibc
import Linux
import Nodes
import Overlay
import SystemPackage

extension UnionTree {
    /// The upper node of `id`, copied up now if it is only in the lower, with as much of a regular file's data as is
    /// needed.
    ///
    /// Precondition: `names` is not locked. The copy is made in the work directory without any lock, and once,
    /// however many threads want it; only putting it in place takes the lock.
    ///
    /// `isForced`: copies up an immutable file, but no directory, which is EPERM otherwise.
    func copyUp(_ id: UInt64, data: NeededData = .all, isForced: Bool = false) throws(FSError) -> Node {
        if let node = table.find(id) {
            if node.isDirectory {
                let held = names.lock()
                defer { names.unlock() }
                try refuseImmutable(held, node)
            }
            switch node.data {
            case .upper: return node
            case .partial where data != .all: return node
            default: if data == .none { return node }
            }
            try copyUps.exclusively(id) { () throws(FSError) in try complete(node, data) }
            return node
        }
        let upper = try writable()
        let inode = try lowerInode(id)
        let isDirectory = try lower.inode(inode).isDirectory
        if !isForced || isDirectory { try refuseImmutable(inode) }
        if isDirectory {
            let held = names.lock()
            defer { names.unlock() }
            if let node = table.find(id) { return node }
            return try isVisible(held, inode)
                ? upperDirectory(held, id) : removedDirectory(held, inode, upper)
        }
        return try copyUps.exclusively(id) { () throws(FSError) in
            if let node = table.find(id) {
                try complete(node, data)
                return node
            }
            let (copy, place, file) = try self.copy(inode, data, upper)
            let held = names.lock()
            defer { names.unlock() }
            do throws(FSError) {
                let node = try publish(held, copy, of: inode, place, upper)
                if let file { files.insert(node.id, file) }
                if case .partial = place {
                    fills.add(node.id)
                    unsealed.add(node)
                }
                return node
            } catch {
                try? upper.work.unlink(copy)
                throw error
            }
        }
    }

    /// The upper node of a directory that is copied up now, with those above it, if it is only in the lower. ENOENT
    /// when it has been removed.
    func upperDirectory(_ held: HeldNames, _ id: UInt64) throws(FSError) -> Node {
        if let node = table.find(id) {
            guard !node.isOrphan else { throw .system(.noSuchFileOrDirectory) }
            guard node.isDirectory else { throw .system(.notDirectory) }
            return node
        }
        guard try lower.inode(lowerInode(id)).isDirectory else { throw .system(.notDirectory) }
        var (parent, below) = try ancestor(held, of: lowerInode(id))
        guard !parent.isOrphan else { throw .system(.noSuchFileOrDirectory) }
        while let (number, name) = below.popLast() {
            switch try resolve(held, name, in: parent) {
            case .upper(let node) where node.id == NodeID.lower(number): parent = node
            case .lower(number): parent = try copyUpDirectory(held, number, name, in: parent)
            default:
                guard try findRedirects(held), let node = table.find(NodeID.lower(number)), !node.isOrphan
                else {
                    throw .system(.noSuchFileOrDirectory)
                }
                parent = node
            }
        }
        return parent
    }

    /// The nearest directory above a lower one that has a node (the root always has), and the path from there to it,
    /// last component first.
    private func ancestor(
        _ held: HeldNames,
        of directory: UInt32
    ) throws(FSError) -> (node: Node, below: [(number: UInt32, name: FileName)]) {
        var below: [(number: UInt32, name: FileName)] = []
        var number = directory
        while true {
            if let node = table.find(NodeID.lower(number)) { return (node, below) }
            // A damaged index may have a loop of parents.
            guard below.count < 1 << 20, let link = try lower.names(of: number).first else {
                throw .corruptIndex(offset: UInt64(number))
            }
            below.append((number, FileName(link.name)))
            number = link.directory
        }
    }

    /// The names under which a lower file can be seen, each with its directory.
    func visibleNames(_ held: HeldNames, of inode: UInt32) throws(FSError) -> [(
        directory: UInt32, name: FileName
    )] {
        var visible: [(directory: UInt32, name: FileName)] = []
        for link in try lower.names(of: inode) {
            let name = FileName(link.name)
            switch try position(held, of: link.directory) {
            case .lower: visible.append((link.directory, name))
            case .upper(let node):
                // Not `resolve`, which finds a file that was copied up also under names that it has yet to get.
                if try listing(held, of: node)[name] == nil { visible.append((link.directory, name)) }
            case nil: continue
            }
        }
        return visible
    }

    /// Files with no more names than this are counted each time.
    private static let fewNames = 32

    /// How many names of a lower file can be seen.
    func visibleCount(_ held: HeldNames, of inode: UInt32, _ record: LowerInode) throws(FSError) -> UInt32 {
        if let known = visibleCounts[inode] { return known }
        let count = UInt32(clamping: try visibleNames(held, of: inode).count)
        if record.nlink > UnionTree.fewNames { visibleCounts[inode] = count }
        return count
    }

    /// Whether a file or directory that is only in the lower can be seen.
    func isVisible(_ held: HeldNames, _ inode: UInt32) throws(FSError) -> Bool {
        let record = try lower.inode(inode)
        guard record.isDirectory else { return try visibleCount(held, of: inode, record) > 0 }
        if inode == 0 { return true }
        return try position(held, of: inode) != nil
    }

    /// What a lower directory is now; nil when it is hidden.
    func position(_ held: HeldNames, of directory: UInt32) throws(FSError) -> Resolved? {
        var (node, below) = try ancestor(held, of: directory)
        guard !node.isOrphan, node.lower != nil else { return nil }
        while let (number, name) = below.popLast() {
            switch try resolve(held, name, in: node) {
            case .lower(number): return .lower(directory)
            case .upper(let next) where next.id == NodeID.lower(number): node = next
            default:
                guard try findRedirects(held), let next = table.find(NodeID.lower(number)), !next.isOrphan,
                    next.lower != nil
                else { return nil }
                node = next
            }
        }
        return .upper(node)
    }

    /// The same; nil also where the directory is only in the lower.
    func upperPosition(_ held: HeldNames, of directory: UInt32) throws(FSError) -> Node? {
        guard case .upper(let node) = try position(held, of: directory) else { return nil }
        return node
    }

    private func copyUpDirectory(_ held: HeldNames, _ inode: UInt32, _ name: FileName, in parent: Node)
        throws(FSError) -> Node
    {
        let upper = try writable()
        let directory = try directory(held, parent)
        _ = try copyDirectory(inode, upper) { (copy) throws(Errno) in
            try put(copy, in: parent, directory, name, upper)
        }
        let node = Node(id: NodeID.lower(inode), mode: S_IFDIR, lower: inode, parent: nil, name: name)
        node.listing = Listing()
        node.isPinned = true
        place(held, node, name, in: parent)
        preserveStatus(held, node, of: try lower.inode(inode))
        table.insert(node)
        try set(held, name, .entry, in: parent)
        countDirectory(held, true, in: parent)
        return node
    }

    /// The node of a lower directory that was removed while open, and whose attributes are about to change.
    private func removedDirectory(_ held: HeldNames, _ inode: UInt32, _ upper: Upper) throws(FSError) -> Node
    {
        let orphan = try copyDirectory(inode, upper) { (copy) throws(Errno) in
            try upper.work.rename(copy, to: upper.orphans.fd, copy)
        }
        let node = Node(id: NodeID.lower(inode), mode: S_IFDIR, lower: nil, parent: nil, name: orphan)
        becomeOrphan(held, node, orphan)
        preserveStatus(held, node, of: try lower.inode(inode))
        table.insert(node)
        return node
    }

    /// Makes a copy of a lower directory in the work directory, which `put` moves away. Returns the name it had
    /// there.
    private func copyDirectory(
        _ inode: UInt32,
        _ upper: Upper,
        _ put: (FileName) throws(Errno) -> Void
    ) throws(FSError) -> FileName {
        let record = try lower.inode(inode)
        let copy = upper.temporaryName()
        let attributes = try privateAttributes(of: inode, isMarked: false)
        try FSError.wrap { () throws(Errno) in
            // No process can look into it yet, whatever its mode.
            try upper.work.makeDirectory(copy, mode: record.mode & 0o777)
            do throws(Errno) {
                try apply(record, attributes, to: copy, in: upper.work, upper)
                try put(copy)
            } catch {
                try? upper.work.removeDirectory(copy)
                throw error
            }
        }
        return copy
    }

    /// Makes a copy of a lower file in the work directory. Returns its name, where its data is, and the open file if
    /// it is regular.
    private func copy(
        _ inode: UInt32,
        _ data: NeededData,
        _ upper: Upper
    ) throws(FSError) -> (FileName, DataPlace, OpenFile?) {
        let record = try lower.inode(inode)
        let copy = upper.temporaryName()
        var attributes = try privateAttributes(of: inode, isMarked: upper.canMark(record.mode))
        do throws(FSError) {
            if record.isRegular {
                let (file, place) = try copyRegular(inode, record, attributes, data, to: copy, upper)
                return (copy, place, file)
            }
            let isWhiteout = WhiteoutData.isOne(mode: record.mode, device: record.rdev)
            if isWhiteout { attributes += WhiteoutData.attributes(upper.marks) }
            if record.isSymlink {
                let target = FileName(try lower.target(of: inode))
                try FSError.wrap { () throws(Errno) in try upper.work.makeSymlink(copy, target: target) }
            } else {
                try FSError.wrap { () throws(Errno) in
                    let type = isWhiteout ? S_IFREG : record.mode & S_IFMT
                    try upper.work.makeNode(copy, mode: type | 0o600, device: record.rdev)
                }
            }
            try FSError.wrap { () throws(Errno) in
                try apply(record, attributes, to: copy, in: upper.work, upper)
            }
        } catch {
            try? upper.work.unlink(copy)
            throw error
        }
        return (copy, .upper, nil)
    }

    /// Makes a regular file's copy: without data, partial, sharing the lower's blocks, or with copied data.
    private func copyRegular(
        _ inode: UInt32,
        _ record: LowerInode,
        _ attributes: [(name: XattrName, value: [UInt8])],
        _ needed: NeededData,
        to copy: FileName,
        _ upper: Upper
    ) throws(FSError) -> (OpenFile, DataPlace) {
        let file = OpenFile(
            try FSError.wrapOwned { () throws(Errno) in
                try upper.work.open(copy, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
            }
        )
        var place = DataPlace.upper
        var size = record.size
        if case .first(let limit) = needed { size = min(size, limit) }
        var isCopied = false
        if size > 0 {
            // Writing the data later would drop capabilities and set-id bits for a moment.
            let hasCapability = attributes.contains { $0.name == Upper.capability }
            try FSError.wrap { () throws(Errno) in try file.fd.truncate(to: record.size) }
            if needed == .none, !hasCapability, upper.canLeaveData(record.mode) {
                place = .lower(inode)
            } else if try clone(inode, to: file.fd, record.size) {
                // Blocks are metadata, too: where the filesystem keeps order, no sync is needed.
            } else if needed != .all, needed != .none, !hasCapability, upper.canBePartial(record.mode) {
                let status = try FSError.wrap { () throws(Errno) in try file.fd.status() }
                place = .partial(
                    PartialData(
                        inode: inode,
                        limit: record.size,
                        marked: record.size,
                        block: upper.block(of: status),
                        isSealed: false,
                        isNew: true
                    )
                )
            } else {
                try FSError.wrap { () throws(Errno) in try file.fd.truncate(to: size) }
                try fill(file.fd, from: inode, record, size: size)
                isCopied = true
            }
        }
        if case .upper = place {} else { try noteMarks() }
        try FSError.wrap { () throws(Errno) in
            var attributes = attributes
            switch place {
            case .lower: attributes.append(upper.marks.metadataOnly)
            case .partial: attributes.append(try upper.partialMark(of: file.fd))
            case .upper, .lost, .damaged: break
            }
            try apply(record, attributes, to: .itself, in: file.fd, upper)
            // Before the rename: after a power cut the name must not lead to a part of the file.
            let isIncomplete = isCopied || (size > 0 && !upper.abilities.keepsOrder)
            if isIncomplete, !upper.isVolatile { try file.fd.synchronize() }
        }
        return (file, place)
    }

    /// The extended attributes of a copy: the file's own, those in the union's namespace escaped, and the union's.
    private func privateAttributes(
        of inode: UInt32,
        isMarked: Bool
    ) throws(FSError) -> [(name: XattrName, value: [UInt8])] {
        var list: [(name: XattrName, value: [UInt8])] = []
        let marks = try writable().marks
        try lower.forEachXattr(of: inode) { (name, value) throws(FSError) in
            list.append((marks.stored(XattrName(name)), [UInt8](value)))
            return true
        }
        if isMarked { list.append((marks.origin, try lower.mark(of: inode))) }
        return list
    }

    /// Sets attributes of `name` in `directory`, or of the open file itself, which takes no path walk for each.
    private func apply(
        _ record: LowerInode,
        _ attributes: [(name: XattrName, value: [UInt8])],
        to copy: FileName,
        in directory: borrowing OwnedFD,
        _ upper: Upper
    ) throws(Errno) {
        // Most attributes are right from the start, and looking takes less time than changing. The owner comes
        // first, because changing it drops set-id bits and capabilities.
        let made = try directory.status(of: copy)
        let isOurs = made.st_uid == record.uid && made.st_gid == record.gid
        let owner = OwnerMark(uid: record.uid, gid: record.gid)
        var isTheirs = isOurs
        if !isOurs { isTheirs = try upper.give(copy, in: directory, mode: record.mode, to: owner) }
        let mode = record.mode & (isTheirs ? 0o7777 : 0o1777)
        if !record.isSymlink, !isOurs || made.st_mode & 0o7777 != mode {
            try directory.changeMode(copy, mode)
        }
        for (name, value) in attributes {
            try upper.copyAttribute(name, mode: record.mode) { () throws(Errno) in
                try directory.setAttribute(name, of: copy, to: value)
            }
        }
        try directory.changeTimes(
            copy,
            access: timespec(record.atime),
            modification: timespec(record.mtime)
        )
    }
}

extension timespec {
    fileprivate init(_ time: Attributes.Time) {
        self.init(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
    }
}
