package import Linux
package import SystemPackage

import Glibc
import Synchronization

/// Whiteouts: character devices, or files where there can be no devices.
extension Upper {
    /// Makes a whiteout in the work directory and returns its name.
    package func makeWhiteout() throws(Errno) -> FileName {
        let name = temporaryName()
        try makeWhiteout(name, in: work)
        return name
    }

    /// Makes a whiteout as a link to an existing one, as kernel overlayfs does, because making an inode takes longer
    /// than making a name. Where no (more) links can be made it gets an inode, to which the next ones are linked.
    package func makeWhiteout(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) {
        try prepareForWhiteouts(directory)
        if hasWhiteout.withLock({ $0 }) {
            do throws(Errno) {
                return try work.link(Upper.whiteout, to: directory, name)
            } catch {
                if error == .fileExists { throw error }
            }
        }
        try makeFirstWhiteout(name, in: directory)
        hasWhiteout.withLock { isThere in
            if isThere { try? work.unlink(Upper.whiteout) }
            isThere = (try? directory.link(name, to: work, Upper.whiteout)) != nil
        }
    }

    /// Called before a whiteout comes into a directory of the upper: marks the directory if whiteouts are files.
    package func prepareForWhiteouts(_ directory: borrowing OwnedFD) throws(Errno) {
        if !abilities.hasDevices { try marks.allowWhiteoutFiles(in: directory) }
    }

    /// Makes a whiteout with an inode of its own. EEXIST.
    private func makeFirstWhiteout(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) {
        guard !abilities.hasDevices else {
            return try directory.makeNode(name, mode: S_IFCHR, device: 0)
        }
        // It is an empty file until it has the attribute, so it is made under another name.
        let temporary = temporaryName()
        try work.makeNode(temporary, mode: S_IFREG, device: 0)
        do throws(Errno) {
            try work.setAttribute(marks.whiteout, of: temporary, to: [UInt8(ascii: "y")])
            try work.rename(temporary, to: directory, name, flags: Rename.noReplace)
        } catch {
            try? work.unlink(temporary)
            throw error
        }
    }

    /// rename(2) that leaves a whiteout behind. `isFree`: the new name has nothing in the upper and hides nothing.
    /// Where the filesystem can't do it in one step and the name is not free, a crash in between leaves both names,
    /// the old one showing the lower's file.
    package func renameLeavingWhiteout(
        _ name: FileName,
        in from: borrowing OwnedFD,
        to newName: FileName,
        in to: borrowing OwnedFD,
        isFree: Bool
    ) throws(Errno) {
        guard !abilities.leavesWhiteouts else {
            return try from.rename(name, to: to, newName, flags: Rename.whiteout)
        }
        try prepareForWhiteouts(from)
        let whiteout = try makeWhiteout()
        do throws(Errno) {
            if isFree {
                try prepareForWhiteouts(to)
                try work.rename(whiteout, to: to, newName, flags: Rename.noReplace)
                do throws(Errno) {
                    try from.rename(name, to: to, newName, flags: Rename.exchange)
                } catch {
                    try? to.unlink(newName)
                    throw error
                }
                return
            }
            try from.rename(name, to: to, newName)
        } catch {
            try? work.unlink(whiteout)
            throw error
        }
        // The file is renamed: the lower's file shows under its old name until the whiteout is there.
        if (try? work.rename(whiteout, to: from, name)) == nil { try makeWhiteout(name, in: from) }
    }
}
