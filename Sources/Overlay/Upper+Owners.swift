package import Linux
package import SystemPackage

import Glibc

extension Upper {
    /// Changes the owner by chown(2) or, where this process may not and this upper stores owners, stores the owner
    /// in an attribute. False where it was stored: the file belongs to this process then, and must not have its
    /// set-id bits.
    package func give(
        _ name: FileName,
        in directory: borrowing OwnedFD,
        mode: UInt32,
        to owner: OwnerMark
    ) throws(Errno) -> Bool {
        do throws(Errno) {
            try directory.changeOwner(name, uid: owner.uid, gid: owner.gid)
            return true
        } catch {
            guard keepsOwners, error == .notPermitted || error == .invalidArgument else { throw error }
        }
        if canMark(mode) { try directory.setAttribute(marks.owner, of: name, to: owner.text) }
        return false
    }

    /// The noted owner of a file with this status, by the same rule as `FileMarks.shown`: a note on another user's file
    /// does not count.
    package func storedOwner(
        of name: FileName,
        in directory: borrowing OwnedFD,
        _ status: FileStatus
    ) throws(Errno) -> OwnerMark? {
        guard status.st_uid == geteuid() else { return nil }
        return try marks.owner(name, in: directory)
    }
}
