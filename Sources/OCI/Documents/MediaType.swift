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

    /// Artifacts (charts, signatures …) use manifests, too; only their config says that they are no images.
    package static func isConfig(_ type: String) -> Bool { type == config || type == dockerConfig }

    /// A layer whose blob is a tar, compressed or not; which way, its first bytes say.
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
        }
    }
}
