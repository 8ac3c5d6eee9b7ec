package import Linux

package import SystemPackage

/// The extended attributes in which an upper says what overlayfs, and what mica, have to know of its files.
///
/// The prefix is `trusted.overlay.`, or `user.overlay.` where the former can't be set: in a user namespace. Only
/// the prefix in use is private: the other one's attributes are data like any. What the container itself puts
/// under the private prefix, because it mounts overlays of its own, is stored with `overlay.` inserted behind
/// it, as the kernel's overlayfs does it (Documentation/filesystems/overlayfs.rst, "Nesting overlayfs mounts").
package final class OverlayMarks: Sendable {
    package static let trusted = OverlayMarks("trusted.overlay.")
    package static let user = OverlayMarks("user.overlay.")
    package static let all = [trusted, user]

    package let prefix: XattrName
    /// On a directory: see `Opaque`.
    let opaque: XattrName
    /// On a directory or a file without data: where its part in the lower is, an absolute path or the name of
    /// a neighbour.
    let redirect: XattrName
    /// On a regular file that does not have all of its data: see `MarkedData`.
    let metacopy: XattrName
    /// Ours, on a partial file: from this byte on holes are holes; 8 bytes, little-endian. Without it, from the
    /// end of the lower file on. Never beyond the end of the file itself.
    let limit: XattrName
    /// Ours, on a partial file: the `DataMap` of it below the limit, 8 bytes, little-endian, as it was when the last
    /// mount ended. A copy that has the same is as good as the file; goes before the map changes.
    let map: XattrName
    /// On an empty regular file that stands for a deleted name, in a directory that says that it has such.
    let whiteout: XattrName
    /// Ours: the mark of the lower file it was copied up from. Keeps st_ino over remounts.
    package let origin: XattrName
    /// Ours, on an empty regular file that stands for a character device 0:0: see `WhiteoutData`.
    let device: XattrName
    /// Ours, on what belongs to somebody to whom this process can't give it: see `KeptOwner`.
    let owner: XattrName
    /// Ours, on the root: some directory below has a redirect.
    let hasRedirects: XattrName
    /// Ours, on the root: see `RootMarks`.
    let hasMarks: XattrName
    /// Ours, on the root: mica began this upper, so `.wh.` at the start of a name means nothing, and the other prefix's
    /// attributes are data.
    let own: XattrName

    private let escaped: XattrName
    /// What an overlay inside the mount calls `whiteout`, as it is stored.
    let nestedWhiteout: XattrName

    private init(_ prefix: XattrName) {
        self.prefix = prefix
        opaque = prefix + "opaque"
        redirect = prefix + "redirect"
        metacopy = prefix + "metacopy"
        limit = prefix + "mica.limit"
        map = prefix + "mica.map"
        whiteout = prefix + "whiteout"
        origin = prefix + "mica.inode"
        device = prefix + "mica.device"
        owner = prefix + "mica.owner"
        hasRedirects = prefix + "mica.redirects"
        hasMarks = prefix + "mica.marks"
        own = prefix + "mica.upper"
        escaped = prefix + "overlay."
        nestedWhiteout = escaped + "whiteout"
    }

    // MARK: - Other attributes' names

    /// As an attribute of the inside is stored in the upper.
    package func stored(_ name: XattrName) -> XattrName {
        name.dropping(prefix).map { escaped + $0 } ?? name
    }

    /// The same in an upper of which nobody has said yet which prefix it has.
    package static func stored(_ name: XattrName) -> XattrName {
        all.first { name.hasPrefix($0.prefix) }?.stored(name) ?? name
    }

    /// As the inside sees the attribute of a file; nil for what it doesn't. `isDevice`: the file stands for one.
    package func visible(_ stored: XattrName, isDevice: Bool) -> XattrName? {
        guard stored.hasPrefix(prefix) else { return stored }
        guard !isDevice || stored != nestedWhiteout else { return nil }
        return stored.dropping(escaped).map { prefix + $0 }
    }
}

extension [OverlayMarks] {
    /// The prefixes in use in an upper: both are possible, unless its root says who began it.
    package static func inUse(root: borrowing OwnedFD) throws(Errno) -> [OverlayMarks] {
        let names = try root.attributes(of: .dot)
        return OverlayMarks.all.first { names.contains($0.own) }.map { [$0] } ?? OverlayMarks.all
    }

    /// As `OverlayMarks.visible`.
    func visible(_ stored: XattrName, isDevice: Bool) -> XattrName? {
        guard let marks = first(where: { stored.hasPrefix($0.prefix) }) else { return stored }
        return marks.visible(stored, isDevice: isDevice)
    }
}
