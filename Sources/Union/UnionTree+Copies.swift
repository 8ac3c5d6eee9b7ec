import Glibc
import Linux
import SystemPackage

/// What tells an upper from a copy of it that lost something: tar, cp and rsync by default keep neither holes nor
/// extended attributes, and what the union has noted there is gone with them.
extension UnionTree {
    /// When nobody changes files any more: a copy that is made from now on can be told from one that is damaged.
    func sealFiles() {
        for node in unsealed.take() {
            guard case .partial(let data) = node.data, names.locked({ !node.isOrphan }) else { continue }
            // What can't be noted (the disk is full) is a copy's loss.
            try? partial(node, data).seal()
        }
    }

    /// Whether the partial file that has this mark is the one that the union left, or a copy of it with the same
    /// holes; it gets a mark of its own then.
    func isIntact(
        _ name: FileName,
        in directory: OpenFile,
        mark: [UInt8],
        limit: UInt64
    ) throws(FSError) -> Bool {
        let upper = try writable()
        // Of the form that says nothing.
        guard mark != UpperMarks.partial else { return true }
        return try FSError.wrap { () throws(Errno) in
            if try directory.fd.birthMark(of: name) == mark { return true }
            let noted = try directory.fd.attribute(upper.marks.map, of: name, limit: 16)
            let file = try directory.fd.open(name, O_RDONLY)
            let hash = try DataMap.hash(of: file, below: limit)
            guard noted == withUnsafeBytes(of: hash.littleEndian, { [UInt8]($0) }) else { return false }
            try Xattr.set(upper.marks.metacopy, upper.partialMark(of: file), of: file)
            return true
        }
    }

    /// Whether the map of a partial file may be noted. Of one whose mark says nothing it may.
    func isSealed(_ name: FileName, in directory: OpenFile, mark: [UInt8]) throws(FSError) -> Bool {
        let map = try writable().marks.map
        guard mark != UpperMarks.partial else { return true }
        return try FSError.wrap { () throws(Errno) in
            try directory.fd.attribute(map, of: name, limit: 16) != nil
        }
    }

    // MARK: - Marks at all

    /// Before the first mark without which the upper would show something else. Preconditions: `names` is not locked.
    func noteMarks() throws(FSError) {
        guard try !writable().hasNotedMarks else { return }
        names.lock()
        defer { names.unlock() }
        try noteMarksLocked()
    }

    /// The same. Preconditions: `names` is locked.
    func noteMarksLocked() throws(FSError) {
        let upper = try writable()
        guard !upper.hasNotedMarks else { return }
        try FSError.wrap { () throws(Errno) in
            try root.keepingStatus(of: root.name, in: upper.root) { () throws(Errno) in
                try upper.root.setAttribute(upper.marks.hasMarks, of: root.name, to: [UInt8(ascii: "y")])
            }
        }
        upper.hasNotedMarks = true
        guard try listing(of: root)[UpperMarks.evidence] == nil, try !lowerHasEvidence() else { return }
        let directory = try directory(root)
        // Where there can be no whiteouts it goes without.
        let made: Void? = try? root.keepingTimes(directory.fd) { () throws(Errno) in
            try upper.makeWhiteout(UpperMarks.evidence, in: directory.fd)
        }
        if made != nil { try listing(of: root).set(UpperMarks.evidence, .whiteout) }
    }

    /// Before a directory gets a mark that hides what is below. Not where other programs read the upper as well, podman
    /// for one: they would take the evidence for a deleted file of their own. Preconditions: `names` is locked.
    func noteOpaque() throws(FSError) {
        if try writable().copiesMetadataOnly { try noteMarksLocked() }
    }

    /// Before there is a whiteout, where those are files with an attribute. Preconditions: `names` is locked.
    func noteWhiteouts() throws(FSError) {
        guard try !writable().abilities.hasDevices else { return }
        do throws(FSError) {
            try noteMarksLocked()
        } catch {
            // Who deletes to make room is let.
            guard error.isLackOfRoom else { throw error }
        }
    }

    /// Then a whiteout of that name is what it is.
    private func lowerHasEvidence() throws(FSError) -> Bool {
        try UpperMarks.evidence.withBytes { (name: UnsafeRawBufferPointer) throws(FSError) in
            try lower.lookup(name, in: 0)
        } != nil
    }

    /// Whether the upper's root says that there were marks. Where whiteouts are files, what says so is one, and no more
    /// than an empty file if it lost its attribute with all others.
    private func isEvident(_ upper: Upper) throws -> Bool {
        let status: FileStatus
        do throws(Errno) {
            status = try upper.root.status(of: UpperMarks.evidence)
        } catch .noSuchFileOrDirectory {
            return false
        }
        if status.st_mode & S_IFMT == S_IFCHR { return status.st_rdev == 0 }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size == 0 else { return false }
        if try upper.root.attribute(upper.marks.whiteout, of: UpperMarks.evidence, limit: 16) != nil {
            return true
        }
        return try upper.root.attribute(upper.marks.own, of: root.name, limit: 16) == nil
    }

    /// Refuses an upper whose marks are gone, or are of a form that this process does not see.
    func refuseWithoutMarks(_ upper: Upper) throws {
        let isNoted = try upper.root.attribute(upper.marks.hasMarks, of: root.name, limit: 16) != nil
        let isEvident = try isEvident(upper)
        upper.hasNotedMarks = isNoted && isEvident
        guard isEvident, !isNoted, try !lowerHasEvidence() else { return }
        throw Failure(
            "the upper does not have the extended attributes that it had: its root has the whiteout"
                + " \(String(decoding: UpperMarks.evidence.bytes, as: UTF8.self)), but no \(upper.marks.hasMarks)",
            advice:
                "If it is a copy, copy it again with its attributes and holes (rsync -aHAXS --numeric-ids, or"
                + " tar -S --xattrs --xattrs-include='*'). If not, mount it with the privileges that it was begun with."
        )
    }
}

extension OwnedFD {
    func birthMark(of name: FileName) throws(Errno) -> [UInt8] {
        let result = use { raw in
            name.withCString { name -> Result<[UInt8], Errno> in
                do throws(Errno) { return .success(try FileBirth.mark(raw, name)) } catch {
                    return .failure(error)
                }
            }
        }
        return try result.get()
    }
}
