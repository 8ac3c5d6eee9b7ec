package import Linux
package import Nodes
import Overlay

import Glibc
import SystemPackage

extension UnionTree {
    /// mknod(2), regular files included.
    package func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        if WhiteoutData.isOne(mode: mode, device: device) {
            return try makeWhiteoutData(name, in: parent, mode: mode & 0o7777, by: caller)
        }
        return try create(name, in: parent, by: caller, mode: mode) { directory, name throws(Errno) in
            try directory.makeNode(name, mode: mode, device: device)
        }
    }

    /// mkdir(2).
    package func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        let mode = mode & 0o7777
        return try create(name, in: parent, by: caller, mode: S_IFDIR | mode) {
            directory,
            name throws(Errno) in
            try directory.makeDirectory(name, mode: mode)
        }
    }

    /// symlink(2).
    package func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        let target = FileName(target)
        return try create(name, in: parent, by: caller, mode: S_IFLNK | 0o777) {
            directory,
            name throws(Errno) in
            try directory.makeSymlink(name, target: target)
        }
    }

    /// link(2): a further name for the file `id`, or the first one for a file of `makeTemporary`.
    package func link(
        _ id: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> Attributes {
        let node = try copyUp(id, data: .none)
        let held = names.lock()
        defer { names.unlock() }
        let upper = try writable()
        let (directory, name, isHidden) = try newName(held, name, in: parent)
        let (source, sourceName) = try location(held, of: node)
        let target = try self.directory(held, directory)
        try noteData(held, of: node, sourceName, in: source, upper)
        node.needsSync = true
        node.noteChange()
        try FSError.wrap { () throws(Errno) in
            if isHidden {
                let temporary = upper.temporaryName()
                try source.fd.link(sourceName, to: upper.work, temporary)
                try upper.work.rename(temporary, to: target.fd, name)
            } else {
                try source.fd.link(sourceName, to: target.fd, name)
            }
        }
        try set(held, name, .entry, in: directory)
        if node.isOrphan {
            adopt(held, node, name, in: directory)
        } else {
            note(held, node, name, in: directory)
        }
        return try reference(held, .upper(node))
    }

    /// The place of a new name: its directory, which is in the upper by now, and whether a whiteout has the name.
    /// EEXIST when the name exists.
    func newName(
        _ held: HeldNames,
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> (directory: Node, name: FileName, isHidden: Bool) {
        guard name.count <= 255 else { throw .system(.fileNameTooLong) }
        let directory = try upperDirectory(held, parent)
        try refuseImmutable(held, directory)
        let name = FileName(name)
        switch try listing(held, of: directory)[name] {
        case .whiteout: return (directory, name, true)
        case .entry: throw .system(.fileExists)
        case nil:
            guard try lowerEntry(name, in: directory) == nil else { throw .system(.fileExists) }
            return (directory, name, false)
        }
    }

    /// `isWhiteoutData`: the file takes several steps to make, and the name must not show before the last.
    func create(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        by caller: Caller,
        mode: UInt32,
        isWhiteoutData: Bool = false,
        _ make: (borrowing OwnedFD, FileName) throws(Errno) -> Void
    ) throws(FSError) -> Attributes {
        let held = names.lock()
        defer { names.unlock() }
        let upper = try writable()
        let (directory, name, isHidden) = try newName(held, name, in: parent)
        let target = try self.directory(held, directory)
        if isHidden, mode & S_IFMT == S_IFDIR { try noteOpaque(held) }
        let status = try FSError.wrap { () throws(Errno) -> FileStatus in
            // The umask of this thread only: each of the daemon's threads has its own.
            umask(caller.umask)
            guard isHidden || isWhiteoutData else {
                // Made in its place, so that the directory's set-group-id bit and default ACL apply.
                try make(target.fd, name)
                do throws(Errno) {
                    return try own(name, in: target, by: caller, mode: mode)
                } catch {
                    if mode & S_IFMT == S_IFDIR {
                        try? target.fd.removeDirectory(name)
                    } else {
                        try? target.fd.unlink(name)
                    }
                    throw error
                }
            }
            // Over a whiteout: made in a stand-in for the directory, then renamed into place.
            try createInStage(name, in: target, upper, by: caller, mode: mode, make)
            return try target.fd.status(of: name)
        }
        try set(held, name, .entry, in: directory)
        if mode & S_IFMT == S_IFDIR { countDirectory(held, true, in: directory) }
        let node = newNode(held, status, name, in: directory)
        node.isWhiteoutData = isWhiteoutData
        node.lookups += 1
        return try attributes(held, of: node, status)
    }

    private func createInStage(
        _ name: FileName,
        in target: OpenFile,
        _ upper: Upper,
        by caller: Caller,
        mode: UInt32,
        _ make: (borrowing OwnedFD, FileName) throws(Errno) -> Void
    ) throws(Errno) {
        try upper.withStage(for: target.fd) { (stage, staged) throws(Errno) in
            try make(stage.fd, staged)
            try own(staged, in: stage, by: caller, mode: mode)
            guard mode & S_IFMT == S_IFDIR else {
                return try stage.fd.rename(staged, to: target.fd, name)
            }
            // What the whiteout hid stays hidden.
            try upper.marks.makeOpaque(staged, in: stage.fd)
            try stage.fd.rename(staged, to: target.fd, name, flags: Rename.exchange)
            // The whiteout; the next mount sweeps it where this fails.
            try? stage.fd.unlink(staged)
        }
    }

    /// Gives a file that this process made to the creating user. Returns the file's status afterwards.
    @discardableResult
    func own(
        _ name: FileName,
        in directory: OpenFile,
        by caller: Caller,
        mode: UInt32
    ) throws(Errno) -> FileStatus {
        let made = try directory.fd.status(of: name)
        if made.st_uid == caller.uid, made.st_gid == caller.gid { return made }
        let parent = try directory.fd.status(of: .dot)
        let inherits = parent.st_mode & S_ISGID != 0
        let gid = inherits ? parent.st_gid : caller.gid
        if made.st_uid == caller.uid, made.st_gid == gid { return made }
        let owner = OwnerMark(uid: caller.uid, gid: gid)
        if let upper {
            guard try upper.give(name, in: directory.fd, mode: made.st_mode, to: owner) else { return made }
        } else {
            try directory.fd.changeOwner(name, uid: caller.uid, gid: gid)
        }
        // chown drops set-id bits of what is not a directory; ext4 keeps them for the creating user.
        if mode & (S_ISUID | S_ISGID) != 0, made.st_mode & S_IFMT == S_IFREG {
            try directory.fd.changeMode(name, made.st_mode)
        }
        return try directory.fd.status(of: name)
    }
}
