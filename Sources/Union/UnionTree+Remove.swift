package import Linux

import Glibc
import SystemPackage

extension UnionTree {
    /// unlink(2).
    package func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try remove(name, in: parent) { (found) throws(FSError) in
            guard try !isDirectory(found) else { throw .system(.isDirectory) }
        }
    }

    /// rmdir(2). ENOTEMPTY unless it looks empty: whiteouts don't count.
    package func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try remove(name, in: parent) { (found) throws(FSError) in
            guard try isDirectory(found) else { throw .system(.notDirectory) }
            guard try isEmpty(found) else { throw .system(.directoryNotEmpty) }
        }
    }

    /// `check` throws where what the name stands for may not go.
    private func remove(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        _ check: (Resolved) throws(FSError) -> Void
    ) throws(FSError) {
        names.lock()
        defer { names.unlock() }
        let upper = try writable()
        let directory = try upperDirectory(parent)
        let name = FileName(name)
        guard let found = try resolve(name, in: directory) else { throw .system(.noSuchFileOrDirectory) }
        try check(found)
        switch found {
        case .lower: try hide(name, in: directory)
        case .upper(let node): try retire(node, name, in: directory, upper)
        }
    }

    private func isDirectory(_ found: Resolved) throws(FSError) -> Bool {
        switch found {
        case .lower(let inode): try lower.inode(inode).isDirectory
        case .upper(let node): node.isDirectory
        }
    }

    private func isEmpty(_ found: Resolved) throws(FSError) -> Bool {
        switch found {
        case .lower(let inode): try lower.isEmpty(inode)
        case .upper(let node): try isEmpty(node)
        }
    }

    /// Whether a merged directory shows nothing. Preconditions: `names` is locked.
    func isEmpty(_ node: Node) throws(FSError) -> Bool {
        let listing = try listing(of: node)
        guard listing.entryCount == 0 else { return false }
        guard let merged = node.lower else { return true }
        return try lower.forEachEntry(of: merged, from: 0) { (entry) throws(FSError) in
            listing[FileName(entry.name)] != nil
        }
    }

    /// Makes a whiteout where the upper has nothing. Preconditions: `names` is locked.
    private func hide(_ name: FileName, in directory: Node) throws(FSError) {
        let fd = try self.directory(directory)
        try FSError.wrap { () throws(Errno) in try fd.fd.makeNode(name, mode: S_IFCHR, device: 0) }
        try listing(of: directory).set(name, .whiteout)
    }

    /// Takes a name away from what the upper has under it, in one step for whoever looks at the upper, and
    /// leaves a whiteout where the lower would shine through. The file itself stays among the orphans while
    /// the kernel refers to it. Preconditions: `names` is locked.
    func retire(_ node: Node, _ name: FileName, in directory: Node, _ upper: Upper) throws(FSError) {
        let fd = try self.directory(directory)
        let isHiding = try lowerEntry(name, in: directory) != nil
        // The name that the node is found by: another name would lead to it just as well, but is not known.
        let isPlace = node.parent === directory && node.name == name
        let isKept = isPlace && node.isReferenced
        // Goes to where it stays in one step: a file that the kernel knows, or a directory with nothing in it at all.
        var isStaying = isKept
        if isKept, node.isDirectory { isStaying = try listing(of: node).isEmpty }
        let gone = try FSError.wrap { () throws(Errno) -> FileName? in
            guard isKept || node.isDirectory else {
                guard isHiding else {
                    try fd.fd.unlink(name)
                    return nil
                }
                let whiteout = try upper.makeWhiteout()
                do throws(Errno) {
                    try upper.work.rename(whiteout, to: fd.fd, name)
                } catch {
                    try? upper.work.unlink(whiteout)
                    throw error
                }
                return nil
            }
            guard !isStaying else {
                try replace(name, in: fd, byWhiteout: isHiding, keepingAs: node.id, upper)
                return nil
            }
            guard isHiding else {
                let gone = upper.temporaryName()
                try fd.fd.rename(name, to: upper.work, gone)
                return gone
            }
            let whiteout = try upper.makeWhiteout()
            do throws(Errno) {
                try upper.work.rename(whiteout, to: fd.fd, name, flags: Rename.exchange)
            } catch {
                try? upper.work.unlink(whiteout)
                throw error
            }
            return whiteout
        }
        if isHiding {
            try listing(of: directory).set(name, .whiteout)
        } else {
            try listing(of: directory).remove(name)
        }
        if isStaying {
            leaveParent(node)
            node.isOrphan = true
            if node.isDirectory { node.lower = nil }
        } else if isPlace {
            try orphan(node, gone, upper)
        }
    }

    /// Moves a file to the orphans; in its place comes a whiteout or nothing.
    private func replace(
        _ name: FileName,
        in directory: OpenFile,
        byWhiteout: Bool,
        keepingAs number: UInt64,
        _ upper: Upper
    ) throws(Errno) {
        let orphan = FileName("\(number)")
        guard byWhiteout else { return try directory.fd.rename(name, to: upper.orphans, orphan) }
        do throws(Errno) {
            try upper.orphans.makeNode(orphan, mode: S_IFCHR, device: 0)
        } catch .fileExists {
            // Of a node that had this number before.
            try upper.orphans.removeTree(Array("\(number)".utf8))
            try upper.orphans.makeNode(orphan, mode: S_IFCHR, device: 0)
        }
        do throws(Errno) {
            try upper.orphans.rename(orphan, to: directory.fd, name, flags: Rename.exchange)
        } catch {
            try? upper.orphans.unlink(orphan)
            throw error
        }
    }

    /// `gone`: its file's name in the work directory, if it is still there.
    func orphan(_ node: Node, _ gone: FileName?, _ upper: Upper) throws(FSError) {
        leaveParent(node)
        if node.isDirectory {
            node.lower = nil
            node.listing = Listing()
        }
        guard let gone else {
            discard(node)
            return
        }
        node.isOrphan = true
        try FSError.wrap { () throws(Errno) in
            // Only whiteouts can be in it.
            if node.isDirectory {
                let fd = try upper.work.open(gone, O_RDONLY | O_DIRECTORY)
                for name in try fd.names() { try fd.removeTree(name) }
            }
            guard node.isReferenced || node.children > 0 else {
                if node.isDirectory {
                    try upper.work.removeDirectory(gone)
                } else {
                    try upper.work.unlink(gone)
                }
                return
            }
            try upper.work.rename(gone, to: upper.orphans, FileName("\(node.id)"))
        }
        if !node.isReferenced, node.children == 0 {
            discard(node)
        }
    }

    /// Deletes the file of an orphan.
    func removeOrphan(_ node: Node) {
        guard let upper else { return }
        // What fails here is swept with the work directory at the next mount.
        if node.isDirectory {
            try? upper.orphans.removeDirectory(FileName("\(node.id)"))
        } else {
            try? upper.orphans.unlink(FileName("\(node.id)"))
        }
    }
}
