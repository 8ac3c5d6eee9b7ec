package import Linux

import Glibc

/// Forms of marks that are read but never written: fuse-overlayfs's, which has them where it can't make devices.
package enum ForeignMarks {
    /// Of a file that hides the rest of its name.
    package static let whiteoutPrefix = Array(".wh.".utf8)
    /// Of a file in a directory that hides what is below.
    package static let opaqueFile = Array(".wh..wh..opq".utf8)
    /// On a directory that hides what is below.
    static let opaque: XattrName = "user.fuseoverlayfs.opaque"
    /// The same, by privileges.
    static let opaqueNames: [XattrName] = [opaque] + OverlayMarks.all.map(\.opaque)

    /// In a layer only empty regular files have such a meaning: anything else with such a name is data.
    package static func canBeWhiteout(_ status: FileStatus) -> Bool { status.canBeWhiteoutFile }

    /// An attribute that nobody sees.
    package static func hides(_ name: XattrName) -> Bool { name.hasPrefix("user.fuseoverlayfs.") }
}
