import Linux

/// The extended attributes in which a union keeps its notes, and the names of all others.
///
/// The prefix is `trusted.overlay.`, or `user.overlay.` where the former can't be set: in a user namespace. Only
/// the prefix in use is private: the other one's attributes are data like any. What the container itself puts
/// under the private prefix, because it mounts overlays of its own, is stored with `overlay.` inserted behind
/// it, as the kernel's overlayfs does it (Documentation/filesystems/overlayfs.rst, "Nesting overlayfs mounts").
struct UpperMarks: Sendable {
    let prefix: XattrName
    /// On a directory: "y" hides everything below; "x" says that there are whiteouts in the form of `whiteout`.
    let opaque: XattrName
    /// On a directory or a file without data: where its part in the lower is, an absolute path or the name of
    /// a neighbour.
    let redirect: XattrName
    /// On a regular file whose data is still in the lower: nothing, or a digest; where some is here, ours: the 3 bytes
    /// of the file's `FileBirth`, or `partial` where they would not last. Holes are the lower's data then. Both are
    /// shorter than any value that the kernel knows, so it answers EIO for such a file (ovl_check_metacopy_xattr in
    /// fs/overlayfs/namei.c).
    let metacopy: XattrName
    static let partial = [UInt8(ascii: "p")]
    static func isPartial(_ metacopy: [UInt8]) -> Bool {
        metacopy == partial || metacopy.count == FileBirth.size
    }
    /// Ours, on a partial file: the `DataMap` of it below the limit, 8 bytes, little-endian, as it was when the last
    /// mount ended. A copy that has the same is as good as the file; goes before the map changes.
    let map: XattrName
    /// Ours, on a partial file: from this byte on holes are holes; 8 bytes, little-endian. Without it, from the
    /// end of the lower file on. Never beyond the end of the file itself.
    let limit: XattrName
    /// On an empty regular file that stands for a deleted name, in a directory that has opaque "x".
    let whiteout: XattrName
    /// Ours: the mark of the lower file it was copied up from. Keeps st_ino over remounts.
    let origin: XattrName
    /// Ours, on the root: some directory below has a redirect.
    let hasRedirects: XattrName
    /// Ours, on the root: there are marks of this form in the upper without which it would show something else. Comes
    /// before `evidence`.
    let hasMarks: XattrName
    /// A whiteout in the root, of a name that the lower does not have, which nobody sees but who looks into the
    /// upper: that there are such marks. Every program that can copy an upper copies it, and every user sees it.
    static let evidence = FileName(".needs-extended-attributes")
    /// Ours, on the root: nobody else wrote to this upper, so `.wh.` at the start of a name means nothing.
    let own: XattrName

    /// Ours, on an empty regular file that stands for a character device 0:0: see `WhiteoutData`.
    let device: XattrName
    /// What an overlay inside the mount calls `whiteout`, as it is stored.
    let nestedWhiteout: XattrName

    /// Ours, on what belongs to somebody to whom this process can't give it: see `KeptOwner`.
    let owner: XattrName

    private let escaped: XattrName

    init(isUser: Bool) {
        prefix = isUser ? "user.overlay." : "trusted.overlay."
        opaque = prefix + "opaque"
        redirect = prefix + "redirect"
        metacopy = prefix + "metacopy"
        whiteout = prefix + "whiteout"
        limit = prefix + "mica.limit"
        map = prefix + "mica.map"
        hasMarks = prefix + "mica.marks"
        origin = prefix + "mica.inode"
        hasRedirects = prefix + "mica.redirects"
        own = prefix + "mica.upper"
        device = prefix + "mica.device"
        owner = prefix + "mica.owner"
        escaped = prefix + "overlay."
        nestedWhiteout = escaped + "whiteout"
    }

    /// As an attribute of the inside is stored in the upper.
    func stored(_ name: XattrName) -> XattrName {
        name.dropping(prefix).map { escaped + $0 } ?? name
    }

    /// As the container sees it; nil for the union's own.
    func visible(_ stored: XattrName) -> XattrName? {
        guard stored.hasPrefix(prefix) else { return stored }
        return stored.dropping(escaped).map { prefix + $0 }
    }
}
