package import Linux
package import Nodes
import Overlay

import Glibc
import Synchronization
import SystemPackage

/// What a name leads to.
enum Resolved {
    /// It is only in the lower.
    case lower(UInt32)
    case upper(Node)
}

extension UnionTree {
    /// The node that `name` in the directory `parent` leads to, with one reference counted; nil where there is no
    /// such name. `.` and `..` can be looked up in any node.
    package func lookup(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> Attributes? {
        guard name.count <= 255 else { throw .system(.fileNameTooLong) }
        if name.count <= 2, name.allSatisfy({ $0 == UInt8(ascii: ".") }) {
            return try lookup(dots: name.count, of: parent)
        }
        guard let directory = table.find(parent) else {
            guard let inode = try lower.lookup(name, in: lowerInode(parent)) else { return nil }
            return try reference(lower: inode)
        }
        let file = FileName(name)
        while true {
            let held = names.lock()
            defer { names.unlock() }
            guard let found = try resolve(held, file, in: directory) else { return nil }
            guard case .lower(let inode) = found, !lower.isReady(inode) else {
                return try reference(held, found)
            }
            // Reads the inode without the lock, which it would hold for long.
            names.unlock()
            defer { names.lock() }
            _ = try lower.inode(inode)
        }
    }

    /// The attributes of a node that the kernel knows.
    package func attributes(of id: UInt64) throws(FSError) -> Attributes {
        guard upper != nil else { return try attributes(lower: lowerInode(id)) }
        while true {
            let held = names.lock()
            defer { names.unlock() }
            if let node = table.find(id) { return try attributes(held, of: node) }
            let inode = try lowerInode(id)
            guard !lower.isReady(inode) else {
                var attributes = try attributes(lower: inode, held)
                // The file has no name, but is open.
                if try !isVisible(held, inode) { attributes.nlink = 0 }
                return attributes
            }
            // Reads the inode without the lock, which it would hold for long.
            names.unlock()
            defer { names.lock() }
            _ = try lower.inode(inode)
        }
    }

    /// When a node was created, as statx(2) has it: for a file that is, or once was, in the lower, when it was
    /// created there; for an upper's root, when the upper was. Nil where that is unknown; ENOSYS where nothing in
    /// the tree has a birth.
    package func birth(of id: UInt64) throws(FSError) -> Attributes.Time? {
        guard upper != nil || lower is DirectoryStack else { throw .system(.noFunction) }
        if NodeID.lowerInode(id) != nil, id != NodeID.root || upper == nil {
            let inode = try lowerInode(id)
            // The file may be gone from its layer, and the copy be all there is.
            return (try? lower.birth(of: inode)) ?? nil
        }
        guard let node = table.find(id) else { throw .system(.staleNFSFileHandle) }
        let held = names.lock()
        defer { names.unlock() }
        let (file, name) = try nearest(held, node)
        return try FSError.wrap { () throws(Errno) in try file.fd.birth(of: name).map { Attributes.Time($0) }
        }
    }

    // MARK: - Under the lock of names

    func lowerInode(_ id: UInt64) throws(FSError) -> UInt32 {
        guard let inode = NodeID.lowerInode(id), lower.has(inode) else {
            throw .system(Errno(rawValue: ESTALE))
        }
        return inode
    }

    func resolve(_ held: HeldNames, _ name: FileName, in directory: Node) throws(FSError) -> Resolved? {
        guard !directory.isOrphan else { return nil }
        let found = try listing(held, of: directory).find(name)
        switch found?.kind {
        case .whiteout: return nil
        case .entry:
            if let node = found?.node { return .upper(node) }
            return .upper(try makeKnown(held, name, in: directory))
        case nil:
            guard let inode = try lowerEntry(name, in: directory) else { return nil }
            if let node = table.find(NodeID.lower(inode)), !node.isOrphan { return .upper(node) }
            return .lower(inode)
        }
    }

    /// The lower inode of this name in the directory that `directory` is merged with.
    func lowerEntry(_ name: FileName, in directory: Node) throws(FSError) -> UInt32? {
        guard let merged = directory.lower else { return nil }
        return try name.withBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) in
            try lower.lookup(bytes, in: merged)
        }
    }

    /// The node of a name. Precondition: the listing says that the upper has `name`.
    func node(_ held: HeldNames, _ name: FileName, in directory: Node) throws(FSError) -> Node {
        if let known = directory.listing?.find(name)?.node { return known }
        return try makeKnown(held, name, in: directory)
    }

    /// The same where the listing knows no node.
    private func makeKnown(_ held: HeldNames, _ name: FileName, in directory: Node) throws(FSError) -> Node {
        let node = try findNode(held, name, in: directory)
        if node.isOrphan {
            adopt(held, node, name, in: directory)
        } else {
            note(held, node, name, in: directory)
        }
        return node
    }

    private func findNode(_ held: HeldNames, _ name: FileName, in directory: Node) throws(FSError) -> Node {
        let fd = try self.directory(held, directory)
        let status = try FSError.wrap { () throws(Errno) in try fd.fd.status(of: name) }
        var origin: UInt32?
        if status.st_mode & S_IFMT == S_IFDIR {
            origin = try mergedWith(held, name, in: directory, fd)
        } else {
            if let known = unmarked[UInt64(status.st_ino)] { return known }
            let marks = try writable().marks
            let value = try FSError.wrap { () throws(Errno) in try marks.origin(name, in: fd.fd) }
            if let value { origin = try lower.number(marked: value) }
        }
        let id = origin.map(NodeID.lower) ?? NodeID.upper(UInt64(status.st_ino))
        if let known = table.find(id) { return known }
        let node = Node(id: id, mode: status.st_mode, lower: origin, parent: nil, name: name)
        if let status = forgottenStatuses.take(id) { node.shown.withLock { $0.status = status } }
        if node.isRegular {
            node.data = try dataPlace(held, of: name, in: directory, fd, status, origin: origin)
            if case .partial(let data) = node.data {
                fills.add(id)
                // Its map is recorded at unmount.
                node.isPinned = true
                if !data.isSealed { unsealed.add(node) }
            }
            if status.st_size == 0 {
                let marks = try writable().marks
                node.isWhiteoutData = try FSError.wrap { () throws(Errno) in
                    try marks.isDevice(name, in: fd.fd)
                }
            }
        }
        place(held, node, name, in: directory)
        table.insert(node)
        return node
    }

    /// A node for a file that was made just now, so that it has no lower and no marks.
    func newNode(_ held: HeldNames, _ status: FileStatus, _ name: FileName, in directory: Node) -> Node {
        let id = NodeID.upper(UInt64(status.st_ino))
        let node = Node(id: id, mode: status.st_mode, lower: nil, parent: nil, name: name)
        node.hasNoCapability = true
        if node.isDirectory { node.listing = Listing() }
        place(held, node, name, in: directory)
        table.insert(node)
        return node
    }

    /// The lower directory that the upper directory `name` is merged with: the target of its redirect, or its
    /// namesake.
    private func mergedWith(
        _ held: HeldNames,
        _ name: FileName,
        in directory: Node,
        _ fd: OpenFile
    ) throws(FSError) -> UInt32? {
        let upper = try writable()
        guard try !FSError.wrap({ () throws(Errno) in try upper.isOpaque(name, in: fd.fd) }),
            let inode = try lowerPart(held, of: name, in: directory, fd),
            try lower.inode(inode).isDirectory
        else { return nil }
        return inode
    }

    /// `held`: nil where the caller does not hold the lock.
    func attributes(lower inode: UInt32, _ held: HeldNames? = nil) throws(FSError) -> Attributes {
        let record = try lower.inode(inode)
        var nlink = record.nlink
        if nlink > 1, !record.isDirectory, upper != nil {
            let known = held ?? names.lock()
            defer { if held == nil { names.unlock() } }
            nlink = try visibleCount(known, of: inode, record)
        }
        return Attributes(id: NodeID.lower(inode), ino: lower.ino(inode), lower: record, nlink: nlink)
    }

    func attributes(_ held: HeldNames, of node: Node) throws(FSError) -> Attributes {
        let (file, name) = try nearest(held, node)
        let status = try FSError.wrap { () throws(Errno) in try file.fd.status(of: name) }
        return try attributes(held, of: node, status)
    }

    /// `status`: the current status of its file.
    func attributes(_ held: HeldNames, of node: Node, _ status: FileStatus) throws(FSError) -> Attributes {
        var nlink = UInt32(clamping: status.st_nlink)
        if node.isDirectory {
            nlink = node.isOrphan ? 0 : try directoryLinks(held, node, upperLinks: nlink)
        } else if node.isOrphan, node.heldFile == nil, nlink > 0 {
            // The link in the work directory does not show.
            nlink -= 1
        }
        var attributes = Attributes(id: node.id, ino: ino(of: node.id), upper: status, nlink: nlink)
        switch node.data {
        case .upper, .lost, .damaged: break
        case .lower(let inode): attributes.blocks = try lower.inode(inode).blocks
        case .partial(let data):
            // How many blocks are in both files is unknown, but the file has at least as many as either.
            let below = min(try lower.inode(data.inode).blocks, (data.limit + 4095) / 4096 * 8)
            attributes.blocks = max(attributes.blocks, below)
        }
        node.preservedStatus(status)?.apply(to: &attributes)
        if node.isWhiteoutData {
            attributes.mode = WhiteoutData.mode(attributes.mode)
            attributes.rdev = 0
        }
        if let upper, upper.keepsOwners, upper.canMark(status.st_mode) {
            let (directory, name) = try location(held, of: node)
            let owner = try FSError.wrap { () throws(Errno) in
                try upper.storedOwner(of: name, in: directory.fd, status)
            }
            if let owner {
                (attributes.uid, attributes.gid) = (owner.uid, owner.gid)
            }
        }
        return attributes
    }

    /// 2 and one for each subdirectory, as ext4 counts: the upper's own count has those in the upper, to which those
    /// of the lower are added that nothing in the upper hides or continues.
    private func directoryLinks(_ held: HeldNames, _ node: Node, upperLinks: UInt32) throws(FSError) -> UInt32
    {
        guard let merged = node.lower else { return upperLinks }
        let listing = try listing(held, of: node)
        // Btrfs says 1 for every directory.
        let upperLinks = upperLinks < 2 ? 2 + listing.subdirectories : upperLinks
        let lowerLinks = try lower.inode(merged).nlink
        if listing.isEmpty { return lowerLinks }
        // Skips the count for large directories without subdirectories in the lower, which are common.
        guard lowerLinks > 2 else { return upperLinks }
        if let known = node.lowerSubdirectories { return upperLinks + known }
        var count: UInt32 = 0
        _ = try lower.forEachEntry(of: merged, from: 0) { (entry) throws(FSError) in
            if Int(entry.kind) == Int(DT_DIR), listing[FileName(entry.name)] == nil { count += 1 }
            return true
        }
        node.lowerSubdirectories = count
        return upperLinks + count
    }

    /// Counts a directory that came into another or left it, where these are counted.
    func countDirectory(_ held: HeldNames, _ isThere: Bool, in directory: Node) {
        guard let listing = directory.listing else { return }
        if isThere {
            listing.subdirectories += 1
        } else if listing.subdirectories > 0 {
            listing.subdirectories -= 1
        }
    }

    /// Sets what a name in an upper directory is.
    func set(_ held: HeldNames, _ name: FileName, _ kind: Listing.Kind, in directory: Node) throws(FSError) {
        let listing = try listing(held, of: directory)
        if directory.lowerSubdirectories != nil || !visibleCounts.isEmpty, listing[name] == nil {
            noteHidden(held, name, in: directory)
        }
        listing.set(name, kind)
    }

    /// Subtracts from the counts of the lower what is about to be hidden there. They are discarded, and so counted
    /// again, where a listing and a lookup disagreed.
    private func noteHidden(_ held: HeldNames, _ name: FileName, in directory: Node) {
        do throws(FSError) {
            guard let inode = try lowerEntry(name, in: directory) else { return }
            if let count = visibleCounts[inode] { visibleCounts[inode] = count > 0 ? count - 1 : nil }
            if let count = directory.lowerSubdirectories, try lower.inode(inode).isDirectory {
                directory.lowerSubdirectories = count > 0 ? count - 1 : nil
            }
        } catch {
            directory.lowerSubdirectories = nil
            visibleCounts = [:]
        }
    }

    /// st_ino of a node: a file that is, or was, in the lower keeps the lower's.
    func ino(of id: UInt64) -> UInt64 { NodeID.lowerInode(id).map { lower.ino($0) } ?? id }

    /// Where a node's file is: an open directory and the name in it, or the open file itself and no name.
    func location(_ held: HeldNames, of node: Node) throws(FSError) -> (directory: OpenFile, name: FileName) {
        let upper = try writable()
        if let file = node.heldFile { return (file, .itself) }
        if node.isOrphan { return (upper.orphans, node.name) }
        guard let parent = node.parent else { return (try directory(held, root), .dot) }
        return (try directory(held, parent), node.name)
    }

    /// The same, but the open file itself where it is open already, which takes half as long.
    func nearest(_ held: HeldNames, _ node: Node) throws(FSError) -> (file: OpenFile, name: FileName) {
        if let open = node.isDirectory ? directories.find(held, node) : files.known(node.id) {
            return (open, .itself)
        }
        let (directory, name) = try location(held, of: node)
        return (directory, name)
    }

    /// The open upper directory of a node.
    func directory(_ held: HeldNames, _ node: Node) throws(FSError) -> OpenFile {
        let upper = try writable()
        if let file = node.heldFile { return file }
        if let open = directories.find(held, node) { return open }
        // From an open directory inside it: removing a deep tree goes upwards, and the path from the root is long.
        if let open = parent(held, node) {
            directories.insert(held, open, node)
            return open
        }
        // Or from the nearest open directory above it, without recursion: the tree may be deeper than a thread's
        // stack.
        var way: [Node] = []
        var next = node
        var open: OpenFile?
        while open == nil {
            if next !== node, let known = next.heldFile ?? directories.find(held, next) {
                open = known
            } else if next === root {
                let opened = try FSError.wrap { () throws(Errno) in OpenFile(try upper.root.duplicate()) }
                directories.insert(held, opened, root)
                open = opened
            } else {
                way.append(next)
                if next.isOrphan { open = upper.orphans } else { next = next.parent ?? root }
            }
        }
        guard var open else { throw .system(.noSuchFileOrDirectory) }
        while let node = way.popLast() {
            let (parent, name) = (open, node.isOrphan || node.parent != nil ? node.name : .dot)
            open = try FSError.wrap { () throws(Errno) in
                OpenFile(try parent.fd.open(name, O_PATH | O_DIRECTORY))
            }
            directories.insert(held, open, node)
        }
        return open
    }

    /// The names in an upper directory, read once.
    func listing(_ held: HeldNames, of node: Node) throws(FSError) -> Listing {
        if let listing = node.listing { return listing }
        let (fd, upper) = (try directory(held, node), try writable())
        let listing = Listing()
        try FSError.wrap { () throws(Errno) in
            if upper.isForeign { try convertWhiteouts(held, in: node, fd, upper) }
            let hasFiles = try upper.marks.opaque(.dot, in: fd.fd) == .whiteoutFiles
            for (bytes, kind) in try fd.fd.entries() {
                let name = FileName(bytes)
                let isWhiteout = try upper.marks.isWhiteout(name, kind: kind, in: fd.fd, hasFiles: hasFiles)
                listing.set(name, isWhiteout ? .whiteout : .entry)
                if Int(kind) == Int(DT_DIR) { listing.subdirectories += 1 }
            }
        }
        node.listing = listing
        return listing
    }

    private func convertWhiteouts(_ held: HeldNames, in node: Node, _ directory: OpenFile, _ upper: Upper)
        throws(Errno)
    {
        let fd = try directory.fd.open(.dot, O_RDONLY | O_DIRECTORY)
        let found = try upper.foreignWhiteouts(in: fd)
        guard !found.isEmpty else { return }
        try node.keepingTimes(fd) { () throws(Errno) in try upper.convertWhiteouts(found, in: fd) }
    }
}
