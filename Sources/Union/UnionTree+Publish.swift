import Glibc
import Linux
import SystemPackage

/// How a finished copy gets its names.
extension UnionTree {
    /// Renames a copy into place and gives the directory its times back: nothing in it changed, as users see it.
    func put(
        _ copy: FileName,
        in parent: Node,
        _ directory: OpenFile,
        _ name: FileName,
        _ upper: Upper
    ) throws(Errno) {
        try parent.keepingTimes(directory.fd) { () throws(Errno) in
            try upper.work.rename(copy, to: directory.fd, name)
        }
    }

    /// A copy that was put in its place looks as what it was made of did. Preconditions: `names` is locked.
    func keepStatus(_ node: Node, of record: LowerInode) {
        // Where it can't be looked at, it can't be shown either.
        guard let (directory, name) = try? location(of: node),
            let status = try? directory.fd.status(of: name)
        else { return }
        node.keepStatus(record, status)
    }

    /// Puts the copy of a file under all its visible names, or among the orphans when it has none.
    ///
    /// A file with several names gets them all at once, so that the upper alone says that they are one file,
    /// to us after a remount as to anybody who reads an upper directory.
    func publish(
        _ copy: FileName,
        of inode: UInt32,
        _ data: DataPlace,
        _ upper: Upper
    ) throws(FSError) -> Node {
        let visible = try visibleNames(of: inode)
        let record = try lower.inode(inode)
        let isWhiteoutData = record.mode & S_IFMT == S_IFCHR && record.rdev == 0
        let node = Node(
            id: NodeID.lower(inode),
            mode: isWhiteoutData ? S_IFREG : record.mode,
            lower: inode,
            parent: nil,
            name: copy
        )
        node.isPinned = true
        node.data = data
        node.isWhiteoutData = isWhiteoutData
        if !upper.canMark(record.mode), !node.isWhiteoutData {
            let status = try FSError.wrap { () throws(Errno) in try upper.work.status(of: copy) }
            unmarked[UInt64(status.st_ino)] = node
        }
        guard !visible.isEmpty else {
            try FSError.wrap { () throws(Errno) in try upper.work.rename(copy, to: upper.orphans.fd, copy) }
            becomeOrphan(node, copy)
            keepStatus(node, of: record)
            table.insert(node)
            return node
        }
        var places: [(node: Node, name: FileName)] = []
        for (directory, name) in visible {
            places.append((try upperDirectory(NodeID.lower(directory)), name))
        }
        if places.count == 1 {
            let directory = try directory(places[0].node)
            try FSError.wrap { () throws(Errno) in
                try put(copy, in: places[0].node, directory, places[0].name, upper)
            }
        } else {
            let pending = Upper.pendingName(try lower.mark(of: inode))
            try FSError.wrap { () throws(Errno) in try upper.work.rename(copy, to: upper.links, pending) }
            try putLinks(pending, places, upper)
        }
        place(node, places[0].name, in: places[0].node)
        table.insert(node)
        for (parent, name) in places {
            try set(name, .entry, in: parent)
            note(node, name, in: parent)
        }
        keepStatus(node, of: record)
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
                try parent.keepingTimes(directory.fd) { () throws(Errno) in
                    try upper.links.link(pending, to: directory.fd, name)
                }
            }
        }
        try FSError.wrap { () throws(Errno) in try upper.links.unlink(pending) }
    }
}
