package import Linux
import Overlay

import Glibc
import Layers
import SystemPackage

extension UnionTree {
    /// renameat2(2) with its flags; EINVAL for others. With RENAME_WHITEOUT, a crash may leave the old name without
    /// the whiteout.
    ///
    /// A lower directory is renamed like any other: a redirect records which lower directory it is merged with.
    /// EXDEV where the upper has no redirects, or none that long.
    package func rename(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        to newName: UnsafeRawBufferPointer,
        in newParent: UInt64,
        flags: UInt32
    ) throws(FSError) {
        let known = Rename.noReplace | Rename.exchange | Rename.whiteout
        guard flags & ~known == 0 else { throw .system(.invalidArgument) }
        guard newName.count <= 255 else { throw .system(.fileNameTooLong) }
        let upper = try writable()
        let (name, newName) = (FileName(name), FileName(newName))
        let isExchange = flags & Rename.exchange != 0
        while true {
            // Files are copied up without the lock; then everything is looked up again.
            if let missing = try needsCopyUp(name, in: parent) { _ = try copyUp(missing, data: .none) }
            if isExchange, let missing = try needsCopyUp(newName, in: newParent) {
                _ = try copyUp(missing, data: .none)
            }
            let held = names.lock()
            defer { names.unlock() }
            let directory = try upperDirectory(held, parent)
            let newDirectory = try upperDirectory(held, newParent)
            try refuseImmutable(held, directory)
            try refuseImmutable(held, newDirectory)
            guard let source = try resolve(held, name, in: directory) else {
                throw .system(.noSuchFileOrDirectory)
            }
            let target = try resolve(held, newName, in: newDirectory)
            guard case .upper(let node) = source else { continue }
            if isExchange {
                guard let target else { throw .system(.noSuchFileOrDirectory) }
                guard case .upper(let other) = target else { continue }
                try exchange(held, (node, name, directory), (other, newName, newDirectory), upper)
                return
            }
            guard flags & Rename.noReplace == 0 || target == nil else { throw .system(.fileExists) }
            // rename(2) does nothing with two names of one file.
            if case .upper(let other) = target, other === node { return }
            let whiteout = flags & Rename.whiteout != 0 ? try stageWhiteoutData(upper) : nil
            do throws(FSError) {
                try move(held, (node, name, directory), to: newName, newDirectory, over: target, upper)
            } catch {
                if let whiteout { try? upper.work.unlink(whiteout) }
                throw error
            }
            if let whiteout { try place(held, whiteout, name, in: directory, upper) }
            return
        }
    }

    private typealias Entry = (node: Node, name: FileName, directory: Node)

    /// The number of the file `name` if it is only in the lower.
    private func needsCopyUp(_ name: FileName, in parent: UInt64) throws(FSError) -> UInt64? {
        let held = names.lock()
        defer { names.unlock() }
        let directory = try upperDirectory(held, parent)
        guard case .lower(let inode) = try resolve(held, name, in: directory) else { return nil }
        return NodeID.lower(inode)
    }

    private func move(
        _ held: HeldNames,
        _ entry: Entry,
        to newName: FileName,
        _ newDirectory: Node,
        over target: Resolved?,
        _ upper: Upper
    ) throws(FSError) {
        let (node, name, directory) = entry
        var replaced: Node?
        switch target {
        case nil: break
        case .lower(let inode):
            try refuseImmutable(inode)
            let record = try lower.inode(inode)
            guard record.isDirectory == node.isDirectory else {
                throw .system(record.isDirectory ? .isDirectory : .notDirectory)
            }
            if record.isDirectory, try !lower.isEmpty(inode) { throw .system(.directoryNotEmpty) }
        case .upper(let other):
            guard other.isDirectory == node.isDirectory else {
                throw .system(other.isDirectory ? .isDirectory : .notDirectory)
            }
            if other.isDirectory, try !isEmpty(held, other) { throw .system(.directoryNotEmpty) }
            replaced = other
        }
        try prepareToMove(held, node, name, directory, newName, newDirectory, upper)

        let from = try self.directory(held, directory)
        let to = try self.directory(held, newDirectory)
        let isHiding = try lowerEntry(name, in: directory) != nil
        var hasWhiteout = isHiding
        if isHiding { try noteWhiteouts(held) }
        if node.isDirectory, try listing(held, of: newDirectory)[newName] == .whiteout {
            // rename(2) replaces nothing but a directory by a directory.
            try FSError.wrap { () throws(Errno) in
                try upper.prepareForWhiteouts(from.fd)
                try from.fd.rename(name, to: to.fd, newName, flags: Rename.exchange)
            }
            // A whiteout that hides nothing does no harm.
            if !isHiding, (try? from.fd.unlink(name)) == nil { hasWhiteout = true }
        } else {
            let isFree = target == nil ? try listing(held, of: newDirectory)[newName] == nil : false
            let gone = try replaced.map { (other) throws(FSError) in
                try prepareToReplace(held, other, newName, in: newDirectory, upper)
            }
            do throws(FSError) {
                try FSError.wrap { () throws(Errno) in
                    if isHiding {
                        try upper.renameLeavingWhiteout(
                            name,
                            in: from.fd,
                            to: newName,
                            in: to.fd,
                            isFree: isFree
                        )
                    } else {
                        try from.fd.rename(name, to: to.fd, newName)
                    }
                }
            } catch {
                undo(gone, replaced, newName, in: to, upper)
                throw error
            }
            if let replaced, let gone { retire(held, replaced, newName, in: newDirectory, gone) }
        }
        if hasWhiteout {
            try set(held, name, .whiteout, in: directory)
        } else {
            try listing(held, of: directory).remove(name)
        }
        try set(held, newName, .entry, in: newDirectory)
        if node.isDirectory {
            countDirectory(held, false, in: directory)
            countDirectory(held, true, in: newDirectory)
        }
        relocate(held, node, name, in: directory, to: newName, in: newDirectory)
    }

    /// What becomes of a node that another is renamed over.
    private enum Replaced {
        /// Another known name leads to it.
        case elsewhere
        /// The kernel does not refer to it.
        case unknown
        case orphan(FileName)
        case held(OpenFile)
    }

    /// Prepares a name to be replaced by rename(2), and keeps the file if the kernel refers to it.
    private func prepareToReplace(
        _ held: HeldNames,
        _ node: Node,
        _ name: FileName,
        in directory: Node,
        _ upper: Upper
    ) throws(FSError) -> Replaced {
        node.noteChange()
        guard isOnlyKnown(held, name, in: directory, of: node) else { return .elsewhere }
        let fd = try self.directory(held, directory)
        if node.isDirectory { try removeWhiteouts(held, node, name, in: fd, upper) }
        guard node.isReferenced else { return .unknown }
        if heldCount < UnionTree.mostHeld, let file = try? hold(held, node, name, in: fd) {
            return .held(file)
        }
        let orphan = upper.temporaryName()
        do throws(FSError) {
            try FSError.wrap { () throws(Errno) in
                if node.isDirectory {
                    try exchangeForStandIn(name, in: fd, orphan, upper)
                } else {
                    // A second link keeps the file while it is open.
                    try fd.fd.link(name, to: upper.orphans.fd, orphan)
                }
            }
            return .orphan(orphan)
        } catch {
            guard error.isLackOfRoom, heldCount < UnionTree.mostHeldInNeed else { throw error }
            return .held(try hold(held, node, name, in: fd))
        }
    }

    /// A directory can't have a second link: an empty stand-in takes its place.
    private func exchangeForStandIn(
        _ name: FileName,
        in directory: OpenFile,
        _ orphan: FileName,
        _ upper: Upper
    ) throws(Errno) {
        let status = try directory.fd.status(of: name)
        try upper.orphans.fd.makeDirectory(orphan, mode: 0o700)
        do throws(Errno) {
            try upper.orphans.fd.changeOwner(orphan, uid: status.st_uid, gid: status.st_gid)
            try upper.orphans.fd.changeMode(orphan, status.st_mode)
            try upper.marks.makeOpaque(orphan, in: upper.orphans.fd)
            try upper.orphans.fd.rename(orphan, to: directory.fd, name, flags: Rename.exchange)
        } catch {
            try? upper.orphans.fd.removeDirectory(orphan)
            throw error
        }
    }

    /// Undoes `prepareToReplace` where the rename failed.
    private func undo(
        _ how: Replaced?,
        _ node: Node?,
        _ name: FileName,
        in directory: OpenFile,
        _ upper: Upper
    ) {
        guard let node, case .orphan(let orphan) = how else { return }
        guard node.isDirectory else {
            try? upper.orphans.fd.unlink(orphan)
            return
        }
        try? upper.orphans.fd.rename(orphan, to: directory.fd, name, flags: Rename.exchange)
        try? upper.orphans.fd.removeDirectory(orphan)
    }

    /// Drops the name of a node that was replaced.
    private func retire(
        _ held: HeldNames,
        _ node: Node,
        _ name: FileName,
        in directory: Node,
        _ how: Replaced
    ) {
        if node.isDirectory { countDirectory(held, false, in: directory) }
        switch how {
        case .elsewhere: leave(held, node, name, in: directory)
        case .unknown:
            leave(held, node, name, in: directory)
            discard(held, node)
        case .orphan(let name): becomeOrphan(held, node, name)
        case .held(let file): becomeOrphan(held, node, node.name, heldFile: file)
        }
    }

    private func exchange(_ held: HeldNames, _ one: Entry, _ other: Entry, _ upper: Upper) throws(FSError) {
        if one.node === other.node { return }
        try prepareToMove(held, one.node, one.name, one.directory, other.name, other.directory, upper)
        try prepareToMove(held, other.node, other.name, other.directory, one.name, one.directory, upper)
        let from = try self.directory(held, one.directory)
        let to = try self.directory(held, other.directory)
        try FSError.wrap { () throws(Errno) in
            try from.fd.rename(one.name, to: to.fd, other.name, flags: Rename.exchange)
        }
        for (gone, come) in [(one, other), (other, one)] where gone.node.isDirectory {
            countDirectory(held, false, in: gone.directory)
            countDirectory(held, true, in: come.directory)
        }
        relocate(held, one.node, one.name, in: one.directory, to: other.name, in: other.directory)
        relocate(held, other.node, other.name, in: other.directory, to: one.name, in: one.directory)
    }

    /// Makes sure that a directory shows the same at its new place, by a redirect if it is merged, or an opaque mark
    /// if it is not and something is below; and that the data of a file without data is found. All marks are true at
    /// the old place as well, so a crash is harmless.
    private func prepareToMove(
        _ held: HeldNames,
        _ node: Node,
        _ name: FileName,
        _ directory: Node,
        _ newName: FileName,
        _ newDirectory: Node,
        _ upper: Upper
    ) throws(FSError) {
        let fd = try self.directory(held, directory)
        node.needsSync = true
        node.noteChange()
        guard node.isDirectory else { return try noteData(held, of: node, name, in: fd, upper) }
        try refuseImmutable(held, node)
        if let merged = node.lower {
            guard upper.makesRedirects else { throw .system(.improperLink) }
            let path = try lower.path(of: merged)
            try markRedirects(held, upper)
            try setRedirect(held, name, in: fd, to: path, upper)
            // Only its redirect leads to what it shows, so its node must stay.
            node.isPinned = true
        } else if try lowerEntry(newName, in: newDirectory) != nil {
            try noteOpaque(held)
            try FSError.wrap { () throws(Errno) in
                try upper.marks.makeOpaque(name, in: fd.fd)
            }
        }
    }
}
