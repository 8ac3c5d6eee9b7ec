package import Linux
package import SystemPackage

/// What an upper's root says of whether the upper still has its extended attributes.
///
/// Before the upper gets the first mark without which it would show something else, its root gets an attribute, and
/// then a whiteout of a name that the lower does not have, which shows in the upper only. Every program that can
/// copy an upper copies the whiteout, and every user can see it.
package struct RootMarks {
    package static let evidence = FileName(".needs-extended-attributes")

    /// The attribute is there.
    package let areNoted: Bool
    /// The whiteout is there. (Where the lower has a file of that name, it says nothing.) Where whiteouts are files
    /// it is one, and no more than an empty file if it lost its attribute with all others.
    package let areEvident: Bool

    /// `marks`: those that the reader would see.
    package init(_ root: borrowing OwnedFD, _ marks: [OverlayMarks]) throws(Errno) {
        let names = try root.attributes(of: .dot)
        areNoted = marks.contains { names.contains($0.hasMarks) }
        let isOwn = marks.contains { names.contains($0.own) }
        let status: FileStatus
        do throws(Errno) {
            status = try root.status(of: RootMarks.evidence)
        } catch .noSuchFileOrDirectory {
            areEvident = false
            return
        }
        var isWhiteout = status.isWhiteoutDevice
        if !isWhiteout, status.canBeWhiteoutFile {
            let found = try root.attributes(of: RootMarks.evidence)
            isWhiteout = !isOwn || marks.contains { found.contains($0.whiteout) }
        }
        areEvident = isWhiteout
    }

    /// The marks are gone, or have a prefix that the reader does not see.
    package var areLost: Bool { areEvident && !areNoted }

    /// Advice for a user whose upper lost its marks.
    package static let advice =
        "If it is a copy, copy it again with its attributes and holes (rsync -aHAXS --numeric-ids, or"
        + " tar -S --xattrs --xattrs-include='*')."
}
