package import Linux
package import SystemPackage

extension Upper {
    /// chown(2), or where this process may not and this upper keeps owners, a note on what can have one. Whether it was
    /// chown: set-id bits that the file has are not for a file of this process's.
    package func give(
        _ name: FileName,
        in directory: borrowing OwnedFD,
        mode: UInt32,
        to owner: KeptOwner
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
}
