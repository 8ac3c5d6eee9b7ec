package import Linux
package import SystemPackage

import Glibc

/// The marks of one file in an upper, or in a layer that once was an upper.
package struct FileMarks: Sendable {
    /// The names of all attributes, including the marks.
    let names: [XattrName]
    package private(set) var opaque = Opaque.no
    /// Where its part in the lower is, if not under the same name.
    package private(set) var redirect: [UInt8]?
    package private(set) var data = MarkedData.here
    /// Whether it has the attribute of a whiteout that is a file.
    private var hasWhiteout = false
    /// Whether it is an empty file that stands for a character device 0:0, which would itself be a whiteout.
    package private(set) var isDevice = false
    /// The stored owner, if that is not the file's own.
    private var owner: OwnerMark?

    /// The marks of `name` in an open directory, for any type of file. `inUse`: the prefixes to look for.
    /// `takesForeign`: also reads fuse-overlayfs's marks.
    ///
    /// A stored owner is believed only in an upper whose root says that mica began it without privileges, and before
    /// that on such a root itself (`isRoot`); only on files of the user who asks; and never by root, who needs no
    /// stored owners. Otherwise a user who may write to a file of another user's could say that it is root's.
    package init(
        _ name: FileName,
        in directory: borrowing OwnedFD,
        _ inUse: [OverlayMarks],
        isRoot: Bool = false,
        takesForeign: Bool = false
    ) throws(Errno) {
        names = try directory.attributes(of: name)
        for marks in inUse {
            let isBelieved = marks === OverlayMarks.user && geteuid() != 0 && (isRoot || inUse.count == 1)
            for attribute in names where attribute.hasPrefix(marks.prefix) {
                switch attribute {
                case marks.opaque: opaque = try marks.opaque(name, in: directory)
                case marks.redirect: redirect = try marks.redirect(name, in: directory)
                case marks.metacopy: data = try marks.data(name, in: directory)
                case marks.whiteout: hasWhiteout = true
                case marks.device: isDevice = true
                case marks.owner where isBelieved: owner = try marks.owner(name, in: directory)
                default: break
                }
            }
        }
        guard takesForeign, names.contains(ForeignMarks.opaque),
            try directory.attribute(ForeignMarks.opaque, of: name, limit: 16) == [UInt8(ascii: "y")]
        else { return }
        opaque = .yes
    }

    /// The status that the mount shows for a file with these marks.
    package func shown(_ status: FileStatus) -> FileStatus {
        var status = status
        if isDevice { status.st_mode = WhiteoutData.mode(status.st_mode) }
        if let owner, status.st_uid == geteuid() { (status.st_uid, status.st_gid) = (owner.uid, owner.gid) }
        return status
    }

    /// Whether the name is deleted. `opaque`: of the directory.
    package func isWhiteout(_ status: FileStatus, _ opaque: Opaque) -> Bool {
        status.isWhiteoutDevice || hasWhiteout && opaque == .whiteoutFiles && status.canBeWhiteoutFile
    }
}
