package import Linux
package import SystemPackage

import Glibc
import Synchronization

/// Files that must not show before they are complete are made in a directory of the work directory that stands in for
/// the one they are for: what a new file takes from its directory, it takes from there.
extension Upper {
    /// What a new file takes from its directory besides the owner, which `UnionTree.own` sets.
    struct Inheritance: Equatable {
        /// The directory's group, if it has the set-group-id bit.
        let group: gid_t?
        let defaultACL: [UInt8]?

        init(of directory: borrowing OwnedFD) throws(Errno) {
            let status = try directory.status(of: .dot)
            group = status.st_mode & S_ISGID != 0 ? status.st_gid : nil
            defaultACL = try directory.wholeAttribute(Inheritance.acl, of: .dot)
        }

        static let acl: XattrName = "system.posix_acl_default"
    }

    /// A stand-in for a directory.
    struct Stage {
        let name: FileName
        let file: OpenFile
        let inheritance: Inheritance
    }

    /// Passes a stand-in for `target` and a name that is unused there; if `body` throws, what has the name is removed.
    /// The stand-in is kept for the next file: as a rule all directories have one in common, since few have a default
    /// ACL or a set-group-id bit.
    ///
    /// Called with the union's lock of names, so that no other thread puts another stand-in in its place.
    package func withStage(
        for target: borrowing OwnedFD,
        _ body: (OpenFile, FileName) throws(Errno) -> Void
    ) throws(Errno) {
        let inheritance = try Inheritance(of: target)
        let known = stage.withLock { $0 }
        let directory: OpenFile
        if let known, known.inheritance == inheritance {
            directory = known.file
        } else {
            removeStage()
            let made = try makeStage(inheritance)
            stage.withLock { $0 = made }
            directory = made.file
        }
        let name = temporaryName()
        do throws(Errno) {
            try body(directory, name)
        } catch {
            // What stays here is swept at the next mount.
            if (try? directory.fd.unlink(name)) == nil { try? directory.fd.removeDirectory(name) }
            throw error
        }
    }

    private func makeStage(_ inheritance: Inheritance) throws(Errno) -> Stage {
        let name = temporaryName()
        try work.makeDirectory(name, mode: 0o700)
        do throws(Errno) {
            if let group = inheritance.group { try work.changeOwner(name, uid: .max, gid: group) }
            try work.changeMode(name, 0o700 | (inheritance.group == nil ? 0 : S_ISGID))
            if let acl = inheritance.defaultACL {
                try work.setAttribute(Inheritance.acl, of: name, to: acl)
            } else {
                // The work directory may have one, which it had from its own directory.
                try? work.removeAttribute(Inheritance.acl, of: name)
            }
            let file = OpenFile(try work.open(name, O_PATH | O_DIRECTORY))
            return Stage(name: name, file: file, inheritance: inheritance)
        } catch {
            try? work.removeDirectory(name)
            throw error
        }
    }

    /// Removes the stand-in, if there is one. What can't be removed is swept at the next mount.
    func removeStage() {
        let known = stage.withLock { known in
            defer { known = nil }
            return known
        }
        if let known { try? work.removeTree(known.name.bytes) }
    }
}
