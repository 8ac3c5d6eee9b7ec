package import Digests
package import SystemPackage

import FoundationEssentials
import Linux

extension RegistryClient {
    /// What a tag or a digest names, as it came. Failure (notFound) where there is none.
    package func manifest(_ name: String) throws -> (mediaType: String, bytes: [UInt8]) {
        let reply = try answer(.manifest, name)
        return (reply.mediaType ?? "", try body(reply))
    }

    /// A small blob. Its digest is for the caller to check.
    package func document(_ digest: Digest, size: UInt64) throws -> [UInt8] {
        try body(try answer(.document, digest.description) { $0.size = size })
    }

    /// Has a blob brought into the file at `path`, from where that ends on. Returns at once.
    package func download(_ digest: Digest, size: UInt64, into path: FilePath) throws -> BlobDownload {
        let id = try ask(.blob, digest.description) {
            $0.size = size
            $0.path = path.string
        }
        return BlobDownload(self, request: id, size: size)
    }

    /// The tags of the repository, as the registry lists them.
    package func tags() throws -> [String] { try answer(.tags).words ?? [] }

    /// What refers to a manifest; `type`: only artifacts of this type.
    package func referrers(to digest: Digest, type: String?) throws -> [RegistryMessage.Referrer] {
        try answer(.referrers, digest.description) { $0.mediaType = type }.referrers ?? []
    }

    /// Repositories of the registry with `term` in their names, or what it finds for it; at most `limit`.
    package func search(_ term: String, limit: Int) throws -> [RegistryMessage.Found] {
        try answer(.search, term) { $0.size = UInt64(limit) }.found ?? []
    }

    private func body(_ reply: RegistryMessage.Reply) throws -> [UInt8] {
        guard let text = reply.body, let bytes = Data(base64Encoded: text) else {
            throw Failure("mica-registry's answer can't be read")
        }
        return Array(bytes)
    }
}
