package import Linux
package import SystemPackage

import Glibc

/// What the marks of one file in an upper, or in a layer that once was one, say of it.
package struct FileMarks: Sendable {
    /// All attributes' names, the marks among them.
    let names: [XattrName]
    package private(set) var opaque = Opaque.no
    /// Where the part in the lower tree is, if not under the same name.
    package private(set) var redirect: [UInt8]?
    package private(set) var data = MarkedData.here
    /// It has the attribute of a whiteout that is a file.
    private var hasWhiteout = false
    /// An empty file that stands for a character device 0:0, which as itself would be a whiteout.
    package private(set) var isDevice = false
    /// Whose it is, if not whose the file is.
    private var owner: KeptOwner?

    /// Those of `name` in an open directory, whatever it is. `marks`: those in use. `takesForeign`: fuse-overlayfs's as
    /// well.
    ///
    /// Whose a file is stands only in an upper whose root says that mica began it without privileges, and on such a root
    /// itself (`isRoot`) before that, on what is of the user who asks, and never for root, who needs no notes: elsewhere
    /// whoever may write to a file of theirs could say that it is root's.
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

    /// What the mount shows of a file that has these marks.
    package func shown(_ status: FileStatus) -> FileStatus {
        var status = status
        if isDevice { status.st_mode = WhiteoutData.mode(status.st_mode) }
        if let owner, status.st_uid == geteuid() { (status.st_uid, status.st_gid) = (owner.uid, owner.gid) }
        return status
    }

    /// Whether it is a deleted name. `opaque`: of the directory.
    package func isWhiteout(_ status: FileStatus, _ opaque: Opaque) -> Bool {
        status.isWhiteoutDevice || hasWhiteout && opaque == .whiteoutFiles && status.canBeWhiteoutFile
    }
}
