package import OCI

import Linux

/// A layer's blob, as containerd asks for it to be applied.
package struct LayerBlobRequest: Sendable {
    package let descriptor: Descriptor

    /// unimplemented for what is no layer that mica reads; invalidArgument for what can be no descriptor.
    package init(mediaType: String, digest: String, size: Int64) throws {
        guard LayerMediaType.isRead(mediaType) else {
            throw Failure("\(mediaType) is no layer that mica reads", kind: .unimplemented)
        }
        guard let digest = Digest(digest), let size = UInt64(exactly: size) else {
            throw Failure(
                "a blob of \(size) bytes with the digest \(digest) can't be",
                kind: .invalidArgument
            )
        }
        descriptor = Descriptor(mediaType: mediaType, digest: digest, size: size)
    }
}
