import Layers
import Linux

/// The media types of layers that the diff service reads and writes. Whatever else containerd asks for (encrypted layers,
/// for instance) is another differ's.
package enum LayerMediaType {
    package static let tar = "application/vnd.oci.image.layer.v1.tar"

    /// OCI's and docker's names for a tar, and those for layers that were not to be distributed.
    private static let families = [
        tar, "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
    ]

    /// The names of compressions, as they end a media type.
    private static let endings = ["", "+gzip", "+zstd", ".gzip", ".zstd"]

    /// Whether a blob of this type is a tar, compressed or not: its first bytes say how.
    static func isRead(_ type: String) -> Bool {
        families.contains { family in
            type.hasPrefix(family) && endings.contains(String(type.dropFirst(family.count)))
        }
    }

    /// What a blob of this type is compressed with: nil for a tar as it is. unimplemented for what is not written; the
    /// empty type is gzip's, as for containerd's own differ.
    static func format(_ type: String) throws -> LayerCompression.Format? {
        switch type {
        case tar, "application/vnd.docker.image.rootfs.diff.tar": return nil
        case "", "\(tar)+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip": return .gzip
        case "\(tar)+zstd", "application/vnd.docker.image.rootfs.diff.tar.zstd": return .zstd
        default: throw Failure("\(type) is no layer that mica writes", kind: .unimplemented)
        }
    }
}
