package import Linux
import Overlay

import Glibc
import SystemPackage

extension UnionTree {
    /// How many deleted files are held open, rather than renamed to work/orphans, which takes longer.
    static let mostHeld = min(256, OpenFileLimit.current / 8)
    /// The same where there is no room for another name.
    static let mostHeldInNeed = 4 * mostHeld

    /// unlink(2).
    package func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try remove(name, in: parent) { (_, found) throws(FSError) in
            guard try !isDirectory(found) else { throw .system(.isDirectory) }
        }
    }

    /// rmdir(2). ENOTEMPTY unless the directory looks empty: whiteouts don't count.
    package func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try remove(name, in: parent) { (held, found) throws(FSError) in
            guard try isDirectory(found) else { throw .system(.notDirectory) }
            guard try isEmpty(held, found) else { throw .system(.directoryNotEmpty) }
        }
    }

    /// `check` throws where the file may not be removed.
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

    /// Whether a merged directory shows no names.
    func isEmpty(_ held: HeldNames, _ node: Node) throws(FSError) -> Bool {
        let listing = try listing(held, of: node)
        guard listing.entryCount == 0 else { return false }
        guard let merged = node.lower else { return true }
        return try lower.forEachEntry(of: merged, from: 0) { (entry) throws(FSError) in
            listing[FileName(entry.name)] != nil
        }
    }

    /// Makes a whiteout for a name that only the lower has.
    private func hide(_ held: HeldNames, _ name: FileName, in directory: Node) throws(FSError) {
        let fd = try self.directory(held, directory)
        let upper = try writable()
        try noteWhiteouts(held)
        try FSError.wrap { () throws(Errno) in try upper.makeWhiteout(name, in: fd.fd) }
        try set(held, name, .whiteout, in: directory)
    }

    /// Removes a name that the upper has, in one step for other readers of the upper, and leaves a whiteout where
    /// the lower would show through. The file stays, held open or in work/orphans, while the kernel refers to it.
    func retire(_ held: HeldNames, _ node: Node, _ name: FileName, in directory: Node, _ upper: Upper)
        throws(FSError)
    {
        let fd = try self.directory(held, directory)
        node.noteChange()
        let isHiding = try lowerEntry(name, in: directory) != nil
        if isHiding { try noteWhiteouts(held) }
        // If other names are known, the file goes on under them.
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
        case .held(let file): becomeOrphan(held, node, name, heldFile: file)
        case nil:
            leave(held, node, name, in: directory)
            if isLast { discard(held, node) }
        }
    }

    /// What is left of a removed file that the kernel refers to.
    private enum Rest {
        case orphan(FileName)
        case held(OpenFile)
    }

    /// `becomesOrphan`: the kernel refers to the file, and no other name leads to it.
    private func takeAway(
        _ held: HeldNames,
        _ node: Node,
        _ name: FileName,
        in directory: OpenFile,
        _ isHiding: Bool,
        _ becomesOrphan: Bool,
        _ upper: Upper
    ) throws(FSError) -> Rest? {
        func remove() throws(FSError) {
            try FSError.wrap { () throws(Errno) in
                try removeOnly(name, in: directory, node.isDirectory, isHiding, upper)
            }
        }
        // A directory that looks empty may have whiteouts in it, so that it can't be removed in place.
        let hasWhiteouts = node.isDirectory ? try !listing(held, of: node).isEmpty : false
        if !hasWhiteouts {
            guard becomesOrphan else {
                try remove()
                return nil
            }
            if heldCount < UnionTree.mostHeld, let file = try? hold(held, node, name, in: directory) {
                try remove()
                return .held(file)
            }
        }
        do throws(FSError) {
            let orphan = try move(name, in: directory, isHiding, hasWhiteouts, upper)
            if becomesOrphan { return .orphan(orphan) }
            // Where this fails, the next mount sweeps the directory.
            try? upper.orphans.fd.removeDirectory(orphan)
            return nil
        } catch {
            guard error.isLackOfRoom, heldCount < UnionTree.mostHeldInNeed else { throw error }
            if hasWhiteouts { try removeWhiteouts(held, node, name, in: directory, upper) }
            let file = becomesOrphan ? try hold(held, node, name, in: directory) : nil
            try remove()
            return file.map { .held($0) }
        }
    }

    /// Moves a file or directory to work/orphans. Returns its name there.
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
            // The move is done; what fails from here on is swept at the next mount.
            if hasWhiteouts, let fd = try? upper.orphans.fd.open(orphan, O_RDONLY | O_DIRECTORY) {
                for whiteout in (try? fd.names()) ?? [] { try? fd.removeTree(whiteout) }
            }
            return orphan
        }
    }

    /// Removes, in place, a file or a directory without any entries.
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
        // Where this fails, the next mount sweeps the directory.
        if isDirectory { try? upper.work.removeDirectory(whiteout) }
    }

    /// The open file that a node lives on when it has no name any more, not even in the work directory.
    func hold(_ held: HeldNames, _ node: Node, _ name: FileName, in directory: OpenFile) throws(FSError)
        -> OpenFile
    {
        guard !node.isDirectory else { return try self.directory(held, node) }
        if let open = files.known(node.id) { return open }
        let upper = try writable()
        let flags = node.isRegular && !upper.canReopen ? O_RDWR : O_PATH
        return try FSError.wrap { () throws(Errno) in OpenFile(try directory.fd.open(name, flags)) }
    }

    /// Removes the whiteouts of a directory that looks empty, so that it looks empty all the time.
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
    /// An operation that needs less room, or moves nothing, may succeed.
    var isLackOfRoom: Bool { [ENOSPC, EDQUOT, EACCES, EMLINK].contains(errno) }
}
