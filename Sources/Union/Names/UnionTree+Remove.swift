package import Linux
import Overlay

import Glibc
import SystemPackage

extension UnionTree {
    /// Deleted files that are kept open at once, rather than under another name, which takes longer.
    static let mostHeld = min(256, OpenFileLimit.current / 8)
    /// The same where there is no room for another name.
    static let mostHeldInNeed = 4 * mostHeld

    /// unlink(2).
    package func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try remove(name, in: parent) { (_, found) throws(FSError) in
            guard try !isDirectory(found) else { throw .system(.isDirectory) }
        }
    }

    /// rmdir(2). ENOTEMPTY unless it looks empty: whiteouts don't count.
    package func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try remove(name, in: parent) { (held, found) throws(FSError) in
            guard try isDirectory(found) else { throw .system(.notDirectory) }
            guard try isEmpty(held, found) else { throw .system(.directoryNotEmpty) }
        }
    }

    /// `check` throws where what the name stands for may not go.
    private func remove(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        _ check: (HeldNames, Resolved) throws(FSError) -> Void
    ) throws(FSError) {
        let held = names.lock()
        defer { names.unlock() }
        let upper = try writable()
        let directory = try upperDirectory(held, parent)
        try refuseImmutable(held, directory)
        let name = FileName(name)
        guard let found = try resolve(held, name, in: directory) else {
            throw .system(.noSuchFileOrDirectory)
        }
        try check(held, found)
        switch found {
        case .lower(let inode):
            try refuseImmutable(inode)
            try hide(held, name, in: directory)
        case .upper(let node):
            if node.isDirectory { try refuseImmutable(held, node) }
            try retire(held, node, name, in: directory, upper)
        }
    }

    private func isDirectory(_ found: Resolved) throws(FSError) -> Bool {
        switch found {
        case .lower(let inode): try lower.inode(inode).isDirectory
        case .upper(let node): node.isDirectory
        }
    }

    private func isEmpty(_ held: HeldNames, _ found: Resolved) throws(FSError) -> Bool {
        switch found {
        case .lower(let inode): try lower.isEmpty(inode)
        case .upper(let node): try isEmpty(held, node)
        }
    }

    /// Whether a merged directory shows nothing.
    func isEmpty(_ held: HeldNames, _ node: Node) throws(FSError) -> Bool {
        let listing = try listing(held, of: node)
        guard listing.entryCount == 0 else { return false }
        guard let merged = node.lower else { return true }
        return try lower.forEachEntry(of: merged, from: 0) { (entry) throws(FSError) in
            listing[FileName(entry.name)] != nil
        }
    }

    /// Makes a whiteout where the upper has nothing.
    private func hide(_ held: HeldNames, _ name: FileName, in directory: Node) throws(FSError) {
        let fd = try self.directory(held, directory)
        let upper = try writable()
        try noteWhiteouts(held)
        try FSError.wrap { () throws(Errno) in try upper.makeWhiteout(name, in: fd.fd) }
        try set(held, name, .whiteout, in: directory)
    }

    /// Takes a name away from what the upper has under it, in one step for whoever looks at the upper, and
    /// leaves a whiteout where the lower would shine through. The file itself stays, open or among the orphans,
    /// while the kernel refers to it.
    func retire(_ held: HeldNames, _ node: Node, _ name: FileName, in directory: Node, _ upper: Upper)
        throws(FSError)
    {
        let fd = try self.directory(held, directory)
        node.noteChange()
        let isHiding = try lowerEntry(name, in: directory) != nil
        if isHiding { try noteWhiteouts(held) }
        // Another name leads to it just as well, if it is known.
        let isLast = isOnlyKnown(held, name, in: directory, of: node)
        let rest = try takeAway(held, node, name, in: fd, isHiding, isLast && node.isReferenced, upper)
        if isHiding {
            try set(held, name, .whiteout, in: directory)
        } else {
            try listing(held, of: directory).remove(name)
        }
        if node.isDirectory { countDirectory(held, false, in: directory) }
        switch rest {
        case .orphan(let name): becomeOrphan(held, node, name)
        case .file(let file): becomeOrphan(held, node, name, kept: file)
        case nil:
            leave(held, node, name, in: directory)
            if isLast { discard(held, node) }
        }
    }

    /// What is left of a file that the kernel refers to.
    private enum Rest {
        case orphan(FileName)
        case file(OpenFile)
    }

    /// `isKept`: the kernel refers to it, and no other name leads to it.
    private func takeAway(
        _ held: HeldNames,
        _ node: Node,
        _ name: FileName,
        in directory: OpenFile,
        _ isHiding: Bool,
        _ isKept: Bool,
        _ upper: Upper
    ) throws(FSError) -> Rest? {
        func remove() throws(FSError) {
            try FSError.wrap { () throws(Errno) in
                try removeOnly(name, in: directory, node.isDirectory, isHiding, upper)
            }
        }
        // A directory that looks empty may have whiteouts in it: it can't be removed where it is.
        let hasWhiteouts = node.isDirectory ? try !listing(held, of: node).isEmpty : false
        if !hasWhiteouts {
            guard isKept else {
                try remove()
                return nil
            }
            if heldCount < UnionTree.mostHeld, let file = try? hold(held, node, name, in: directory) {
                try remove()
                return .file(file)
            }
        }
        do throws(FSError) {
            let orphan = try move(name, in: directory, isHiding, hasWhiteouts, upper)
            if isKept { return .orphan(orphan) }
            // What fails here is swept at the next mount.
            try? upper.orphans.fd.removeDirectory(orphan)
            return nil
        } catch {
            guard error.isLackOfRoom, heldCount < UnionTree.mostHeldInNeed else { throw error }
            if hasWhiteouts { try removeWhiteouts(held, node, name, in: directory, upper) }
            let file = isKept ? try hold(held, node, name, in: directory) : nil
            try remove()
            return file.map { .file($0) }
        }
    }

    /// Moves what is not simply removed to the orphans: its name there.
    private func move(
        _ name: FileName,
        in directory: OpenFile,
        _ isHiding: Bool,
        _ hasWhiteouts: Bool,
        _ upper: Upper
    ) throws(FSError) -> FileName {
        try FSError.wrap { () throws(Errno) in
            let orphan = upper.temporaryName()
            if isHiding {
                try upper.makeWhiteout(orphan, in: upper.orphans.fd)
                do throws(Errno) {
                    try upper.prepareForWhiteouts(directory.fd)
                    try upper.orphans.fd.rename(orphan, to: directory.fd, name, flags: Rename.exchange)
                } catch {
                    try? upper.orphans.fd.unlink(orphan)
                    throw error
                }
            } else {
                try directory.fd.rename(name, to: upper.orphans.fd, orphan)
            }
            // It is done; what fails from here on is swept at the next mount.
            if hasWhiteouts, let fd = try? upper.orphans.fd.open(orphan, O_RDONLY | O_DIRECTORY) {
                for whiteout in (try? fd.names()) ?? [] { try? fd.removeTree(whiteout) }
            }
            return orphan
        }
    }

    /// Removes a file, or a directory with nothing in it at all, where it is.
    private func removeOnly(
        _ name: FileName,
        in directory: OpenFile,
        _ isDirectory: Bool,
        _ isHiding: Bool,
        _ upper: Upper
    ) throws(Errno) {
        guard isHiding else {
            if isDirectory { try directory.fd.removeDirectory(name) } else { try directory.fd.unlink(name) }
            return
        }
        let whiteout = try upper.makeWhiteout()
        do throws(Errno) {
            try upper.prepareForWhiteouts(directory.fd)
            try upper.work.rename(whiteout, to: directory.fd, name, flags: isDirectory ? Rename.exchange : 0)
        } catch {
            try? upper.work.unlink(whiteout)
            throw error
        }
        // What fails here is swept at the next mount.
        if isDirectory { try? upper.work.removeDirectory(whiteout) }
    }

    /// What a node lives on as when it has no name any more, not even in the work directory.
    func hold(_ held: HeldNames, _ node: Node, _ name: FileName, in directory: OpenFile) throws(FSError)
        -> OpenFile
    {
        guard !node.isDirectory else { return try self.directory(held, node) }
        if let open = files.known(node.id) { return open }
        let upper = try writable()
        let flags = node.isRegular && !upper.canReopen ? O_RDWR : O_PATH
        return try FSError.wrap { () throws(Errno) in OpenFile(try directory.fd.open(name, flags)) }
    }

    /// Makes a directory that looks empty empty, without a moment in which it looks otherwise.
    func removeWhiteouts(
        _ held: HeldNames,
        _ node: Node,
        _ name: FileName,
        in directory: OpenFile,
        _ upper: Upper
    ) throws(FSError) {
        guard try !listing(held, of: node).isEmpty else { return }
        let fd = try self.directory(held, node)
        try FSError.wrap { () throws(Errno) in
            if node.lower != nil {
                try upper.marks.makeOpaque(name, in: directory.fd)
                node.lower = nil
            }
            try fd.fd.keepingTimes { () throws(Errno) in
                let names = try fd.fd.open(.dot, O_RDONLY | O_DIRECTORY)
                for whiteout in try names.names() { try names.removeTree(whiteout) }
            }
        }
        node.listing = Listing()
    }
}

extension FSError {
    /// Something does not fit, or must not be moved: less might do.
    var isLackOfRoom: Bool { [ENOSPC, EDQUOT, EACCES, EMLINK].contains(errno) }
}
