import Linux
import Overlay
import SystemPackage

import Glibc

/// A name leads to something else by now, or to nothing: a process works in the container.
struct TreeChanged: Error {
    /// Rethrows what a system call says where a name is gone, or is no longer what it was.
    static func from(_ errno: Errno) -> any Error {
        // ENXIO: a whiteout, and a socket. ESTALE: see `UpperFile.open`.
        [ENOENT, ENOTDIR, ELOOP, EINVAL, ENXIO, ESTALE].contains(errno.rawValue) ? TreeChanged() : errno
    }

    static func wrap<R: ~Copyable>(_ body: () throws(Errno) -> R) throws -> R {
        do { return try body() } catch { throw TreeChanged.from(error) }
    }
}

extension DirectoryWay {
    /// Leaves a directory that is called so. Failure where it was moved.
    func leave(_ directory: WayDirectory?, named name: @autoclosure () -> String) throws {
        do throws(Errno) {
            try leave(directory)
        } catch {
            guard error.rawValue == ESTALE else { throw error }
            throw Failure(
                "\(name()) was moved while it was read",
                advice: "Try again, or stop what does it."
            )
        }
    }
}

extension UpperFile {
    /// Whether `status` is of the file that was found under the name, as far as numbers say: one that was given back
    /// may be another file's at once.
    func isSame(_ status: FileStatus) -> Bool {
        status.st_dev == self.status.st_dev && status.st_ino == self.status.st_ino
            && status.st_mode & S_IFMT == self.status.st_mode & S_IFMT
    }

    /// Throws `TreeChanged` where the name leads to another file by now, so that what was just read by name may be
    /// that one's.
    func checkName() throws {
        guard name != .dot else { return }
        guard let status = try? statusAgain(), isSame(status) else { throw TreeChanged() }
    }

    /// The marks and the attributes by now. Throws `TreeChanged` where they are another file's, or say that it has
    /// another part in the layers below.
    func current() throws -> (marks: FileMarks, xattrs: [NodeXattr]) {
        let current = try TreeChanged.wrap { () throws(Errno) in
            let marks = try marksAgain()
            return (marks, try nodeXattrs(marks))
        }
        try checkName()
        guard current.0.redirect == marks.redirect, current.0.opaque == marks.opaque,
            current.0.isDevice == marks.isDevice
        else { throw TreeChanged() }
        return current
    }
}

extension MergedTree {
    /// What is under a name of a merged directory by now, where `child` was found in the upper; nil: nothing.
    func again(_ child: TreeChild, in directory: TreeNode) throws -> TreeNode? {
        guard let upper = child.node.upper, let parent = directory.upper else { return nil }
        guard let file = try UpperFile(FileName(child.name), in: upper.directory),
            !file.marks.isWhiteout(file.status, parent.marks.opaque)
        else { return nil }
        return try node(of: file, in: directory)
    }

    /// Extended attributes, and the text of a symbolic link, of what a name of the upper still leads to afterwards.
    func details(of node: TreeNode) throws -> (xattrs: [NodeXattr], target: [UInt8]) {
        do {
            let target = node.attributes.isSymlink ? try target(of: node) : []
            if let upper = node.upper { return (try upper.current().xattrs, target) }
            return (try xattrs(of: node), target)
        } catch let errno as Errno {
            throw TreeChanged.from(errno)
        }
    }
}
