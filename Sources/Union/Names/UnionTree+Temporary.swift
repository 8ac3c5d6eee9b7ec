package import Linux
package import Nodes
import Overlay

import Glibc
import SystemPackage

/// Files that are made without a name.
extension UnionTree {
    /// open(2) with O_TMPFILE: makes a regular file whose first name, if it gets one, goes into `parent`. One
    /// reference is counted; `link` gives it a name.
    package func makeTemporary(
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        let held = names.lock()
        defer { names.unlock() }
        let upper = try writable()
        let directory = try upperDirectory(held, parent)
        let target = try self.directory(held, directory)
        let mode = mode & 0o7777 | S_IFREG
        let name = upper.temporaryName()
        var number: UInt64 = 0
        try FSError.wrap { () throws(Errno) in
            // The umask of this thread only: each of the daemon's threads has its own.
            umask(caller.umask)
            try upper.withStage(for: target.fd) { (stage, staged) throws(Errno) in
                try stage.fd.makeNode(staged, mode: mode, device: 0)
                number = UInt64(try own(staged, in: stage, by: caller, mode: mode).st_ino)
                // Where files go that are unlinked while open.
                try stage.fd.rename(staged, to: upper.orphans.fd, name)
            }
        }
        let node = Node(id: NodeID.upper(number), mode: mode, lower: nil, parent: nil, name: name)
        node.isOrphan = true
        orphanCount += 1
        table.insert(node)
        return try reference(held, .upper(node))
    }

    // MARK: - Whiteouts of overlays inside the mount

    /// mknod(2) of a character device 0:0.
    func makeWhiteoutData(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        let marks = try writable().marks
        let type = S_IFREG | mode
        return try create(name, in: parent, by: caller, mode: type, isWhiteoutData: true) {
            directory,
            name throws(Errno) in
            try directory.makeNode(name, mode: type, device: 0)
            for (attribute, value) in WhiteoutData.attributes(marks) {
                try directory.setAttribute(attribute, of: name, to: value)
            }
        }
    }

    /// Makes a stand-in for a whiteout in the work directory, to be renamed into place.
    func stageWhiteoutData(_ upper: Upper) throws(FSError) -> FileName {
        let name = upper.temporaryName()
        try FSError.wrap { () throws(Errno) in
            try upper.work.makeNode(name, mode: S_IFREG, device: 0)
            for (attribute, value) in WhiteoutData.attributes(upper.marks) {
                try upper.work.setAttribute(attribute, of: name, to: value)
            }
        }
        return name
    }

    /// Renames a staged stand-in to a name that was renamed away.
    func place(
        _ held: HeldNames,
        _ staged: FileName,
        _ name: FileName,
        in directory: Node,
        _ upper: Upper
    ) throws(FSError) {
        let fd = try self.directory(held, directory)
        try FSError.wrap { () throws(Errno) in try upper.work.rename(staged, to: fd.fd, name) }
        try set(held, name, .entry, in: directory)
    }
}
