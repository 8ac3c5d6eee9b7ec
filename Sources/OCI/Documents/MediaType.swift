/// The media types of images, OCI's and Docker's.
package enum MediaType {
    package static let index = "application/vnd.oci.image.index.v1+json"
    package static let manifest = "application/vnd.oci.image.manifest.v1+json"
    package static let config = "application/vnd.oci.image.config.v1+json"
    package static let layer = "application/vnd.oci.image.layer.v1.tar"
    package static let dockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json"
    package static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    package static let dockerConfig = "application/vnd.docker.container.image.v1+json"

    package static func isIndex(_ type: String) -> Bool { type == index || type == dockerIndex }
    package static func isManifest(_ type: String) -> Bool { type == manifest || type == dockerManifest }

    /// Whether this is the type of an image's config. Besides the two proper types docker accepts others, because
    /// registries or tools have written them at some time; they carry no information.
    package static func isConfig(_ type: String) -> Bool {
        let plain = type.prefix { $0 != ";" }
        return [
            config, dockerConfig, "", "application/json", "application/octet-stream", "text/html",
            "text/plain",
        ].contains(String(plain))
    }

    /// Has an image's documents, but is not an image.
    package static let dockerPlugin = "application/vnd.docker.plugin.v1+json"

    /// A layer whose blob is a tar; its first bytes say how it is compressed.
    package static func isLayer(_ type: String) -> Bool {
        let families = [
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.docker.image.rootfs.diff.tar",
            "application/vnd.docker.image.rootfs.foreign.diff.tar",
        ]
        return families.contains { family in
            type.hasPrefix(family)
                && ["", "+gzip", "+zstd", ".gzip", ".zstd"].contains(type.dropFirst(family.count))
        } || vague.contains(type)
    }

    /// A layer that registries as a rule don't have, because only its maker may give it out.
    package static func isForeign(_ type: String) -> Bool {
        type.hasPrefix("application/vnd.oci.image.layer.nondistributable.")
            || type.hasPrefix("application/vnd.docker.image.rootfs.foreign.")
    }

    /// Types that do not rule out a tar.
    private static let vague = [
        "", "application/octet-stream", "application/x-tar", "application/tar", "application/gzip",
        "application/x-gzip", "application/tar+gzip", "application/zstd",
        "application/vnd.docker.container.image.rootfs.diff+x-gtar",
    ]

    /// A layer of an image, whether or not mica can read it.
    package static func isLayerOfSomeKind(_ type: String) -> Bool {
        isLayer(type) || type.hasPrefix("application/vnd.oci.image.layer.")
            || type.hasPrefix("application/vnd.docker.image.rootfs.")
    }
}
