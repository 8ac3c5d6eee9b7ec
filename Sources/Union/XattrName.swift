/// Names of extended attributes, inside the mount and in the upper.
///
/// The union's own namespace is not the container's to see. What the container itself puts there, because it
/// mounts overlays of its own, is stored with the prefix doubled, as the kernel's overlayfs does it.
enum XattrName {
    /// As it is stored in the upper.
    static func stored(_ name: String) -> String {
        guard name.hasPrefix(Upper.prefix) else { return name }
        return Upper.prefix + "overlay." + name.dropFirst(Upper.prefix.count)
    }

    /// As the container sees it; nil for the union's own.
    static func visible(_ stored: String) -> String? {
        guard stored.hasPrefix(Upper.prefix) else { return stored }
        let rest = stored.dropFirst(Upper.prefix.count)
        guard rest.hasPrefix("overlay.") else { return nil }
        return Upper.prefix + rest.dropFirst("overlay.".count)
    }
}
