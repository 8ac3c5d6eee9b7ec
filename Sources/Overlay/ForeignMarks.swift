package import Linux

import Glibc

/// Marks that are read but never written: those of fuse-overlayfs, which uses them where it can't make devices.
package enum ForeignMarks {
    /// The prefix of a file that hides the rest of its name.
    package static let whiteoutPrefix = Array(".wh.".utf8)
    /// A file in a directory that hides what is below the directory.
    package static let opaqueFile = Array(".wh..wh..opq".utf8)
    /// The attribute of a directory that hides what is below it.
    static let opaque: XattrName = "user.fuseoverlayfs.opaque"
    /// The same attribute with and without privileges.
    static let opaqueNames: [XattrName] = [opaque] + OverlayMarks.all.map(\.opaque)

    /// Only empty regular files have such a meaning in a layer: any other file of such a name is data.
    package static func canBeWhiteout(_ status: FileStatus) -> Bool { status.canBeWhiteoutFile }

    /// Whether an attribute is hidden from users of the mount.
    package static func hides(_ name: XattrName) -> Bool { name.hasPrefix("user.fuseoverlayfs.") }
}
