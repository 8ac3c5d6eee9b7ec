package import Linux

package import SystemPackage

/// The extended attributes in which an upper records what overlayfs, and what mica, must know of its files.
///
/// The prefix is `trusted.overlay.`, or `user.overlay.` where the former can't be set, as in a user namespace. Only
/// the prefix in use is private: attributes with the other one are ordinary data. If a process in the mount sets
/// attributes under the private prefix, because it mounts overlays of its own, they are stored with `overlay.`
/// inserted behind it, as the kernel's overlayfs does (Documentation/filesystems/overlayfs.rst, "Nesting overlayfs
/// mounts").
package final class OverlayMarks: Sendable {
    package static let trusted = OverlayMarks("trusted.overlay.")
    package static let user = OverlayMarks("user.overlay.")
    package static let all = [trusted, user]

    package let prefix: XattrName
    /// On a directory: see `Opaque`.
    let opaque: XattrName
    /// On a directory, or a file without data: where its part in the lower is, an absolute path or the name of a
    /// sibling.
    let redirect: XattrName
    /// On a regular file that lacks some of its data: see `MarkedData`.
    let metacopy: XattrName
    /// mica's own, on a partial file: the byte from which holes are the file's own; 8 bytes, little-endian, and
    /// never beyond the end of the file. Without it that is the end of the lower file.
    let limit: XattrName
    /// mica's own, on a partial file: its `DataMap` below the limit when the last mount ended; 8 bytes,
    /// little-endian. A copy with the same map is as good as the file. It is removed before the map changes.
    let map: XattrName
    /// On an empty regular file that stands for a deleted name, in a directory that says that it has such files.
    let whiteout: XattrName
    /// mica's own: the mark of the lower file that it was copied up from, which keeps st_ino over remounts.
    package let origin: XattrName
    /// mica's own, on an empty regular file that stands for a character device 0:0: see `WhiteoutData`.
    let device: XattrName
    /// mica's own, on a file of a user to whom this process can't give it: see `OwnerMark`.
    let owner: XattrName
    /// mica's own, on the root: some directory below has a redirect.
    let hasRedirects: XattrName
    /// mica's own, on the root: see `RootMarks`.
    let hasMarks: XattrName
    /// mica's own, on the root: mica began this upper, so `.wh.` at the start of a name means nothing, and
    /// attributes with the other prefix are data.
    let own: XattrName

    private let escaped: XattrName
    /// The stored form of the attribute `whiteout` of an overlay inside the mount.
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

    /// The name under which an attribute seen in the mount is stored in the upper.
    package func stored(_ name: XattrName) -> XattrName {
        name.dropping(prefix).map { escaped + $0 } ?? name
    }

    /// The same for an upper whose prefix is not known yet.
    package static func stored(_ name: XattrName) -> XattrName {
        all.first { name.hasPrefix($0.prefix) }?.stored(name) ?? name
    }

    /// The name under which the mount shows a stored attribute; nil for a hidden one. `isDevice`: the file stands
    /// for a device.
    package func visible(_ stored: XattrName, isDevice: Bool) -> XattrName? {
        guard stored.hasPrefix(prefix) else { return stored }
        guard !isDevice || stored != nestedWhiteout else { return nil }
        return stored.dropping(escaped).map { prefix + $0 }
    }
}

extension [OverlayMarks] {
    /// The prefixes in use in an upper: both, unless its root has the mark of mica.
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
