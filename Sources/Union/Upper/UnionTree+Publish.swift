import Glibc
import Linux
import Overlay
import SystemPackage

/// Giving a finished copy its names.
extension UnionTree {
    /// Renames a copy into place and gives the directory its former times back: to users, nothing in it changed.
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

    /// Preserves the status of the lower file for a copy that was just put in place.
    func preserveStatus(_ held: HeldNames, _ node: Node, of record: LowerInode) {
        // Where the file can't be looked up here, it can't be shown either.
        guard let (directory, name) = try? location(held, of: node),
            let status = try? directory.fd.status(of: name)
        else { return }
        node.preserveStatus(record, status)
    }

    /// Puts the copy of a file under all its visible names, or among the orphans when it has none.
    ///
    /// A file with several names gets them all at once, so that the upper alone says that they are one file: to mica
    /// after a remount, and to other programs that read an upper directory.
    func publish(
        _ held: HeldNames,
        _ copy: FileName,
        of inode: UInt32,
        _ data: DataPlace,
        _ upper: Upper
    ) throws(FSError) -> Node {
        let visible = try visibleNames(held, of: inode)
        let record = try lower.inode(inode)
        let isWhiteoutData = WhiteoutData.isOne(mode: record.mode, device: record.rdev)
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
        var unmarkedNumber: UInt64?
        if !upper.canMark(record.mode), !node.isWhiteoutData {
            let status = try FSError.wrap { () throws(Errno) in try upper.work.status(of: copy) }
            unmarkedNumber = UInt64(status.st_ino)
        }
        guard !visible.isEmpty else {
            try FSError.wrap { () throws(Errno) in try upper.work.rename(copy, to: upper.orphans.fd, copy) }
            becomeOrphan(held, node, copy)
            preserveStatus(held, node, of: record)
            table.insert(node)
            if let unmarkedNumber { unmarked[unmarkedNumber] = node }
            return node
        }
        var places: [(node: Node, name: FileName)] = []
        for (directory, name) in visible {
            places.append((try upperDirectory(held, NodeID.lower(directory)), name))
        }
        if places.count == 1 {
            let directory = try directory(held, places[0].node)
            try FSError.wrap { () throws(Errno) in
                try put(copy, in: places[0].node, directory, places[0].name, upper)
            }
        } else {
            guard !upper.isCramped else { throw .system(.noSpace) }
            // This failed before, with no more names than now.
            if let most = unlinkable[inode], places.count >= most { throw .system(.tooManyLinks) }
            let pending = Upper.pendingName(try lower.mark(of: inode))
            try FSError.wrap { () throws(Errno) in try upper.work.rename(copy, to: upper.links, pending) }
            do throws(FSError) {
                try putLinks(held, pending, places, upper)
            } catch {
                try? upper.links.unlink(pending)
                if error.errno == EMLINK { unlinkable[inode] = places.count }
                throw error
            }
        }
        place(held, node, places[0].name, in: places[0].node)
        table.insert(node)
        if let unmarkedNumber { unmarked[unmarkedNumber] = node }
        visibleCounts[inode] = nil
        unlinkable[inode] = nil
        for (parent, name) in places {
            try set(held, name, .entry, in: parent)
            note(held, new: node, name, in: parent)
        }
        preserveStatus(held, node, of: record)
        return node
    }

    /// Links a file in work/links to its places; `recover` finishes what a crash interrupts here. Where one link
    /// fails, those before it are removed: the file stays what it was under all of its names.
    func putLinks(
        _ held: HeldNames,
        _ pending: FileName,
        _ places: [(node: Node, name: FileName)],
        _ upper: Upper
    ) throws(FSError) {
        for (position, (parent, name)) in places.enumerated() {
            var count = position
            do throws(FSError) {
                let directory = try directory(held, parent)
                try FSError.wrap { () throws(Errno) in
                    try parent.keepingTimes(directory.fd) { () throws(Errno) in
                        try upper.links.link(pending, to: directory.fd, name)
                        count += 1
                    }
                }
            } catch {
                takeBack(held, places[..<count])
                throw error
            }
        }
        try FSError.wrap { () throws(Errno) in try upper.links.unlink(pending) }
    }

    private func takeBack(_ held: HeldNames, _ places: ArraySlice<(node: Node, name: FileName)>) {
        for (parent, name) in places {
            do throws(FSError) {
                let directory = try directory(held, parent)
                try FSError.wrap { () throws(Errno) in
                    try parent.keepingTimes(directory.fd) { () throws(Errno) in try directory.fd.unlink(name)
                    }
                }
            } catch {
                // The name stays: it leads to the copy from now on.
                try? set(held, name, .entry, in: parent)
            }
        }
    }
}
