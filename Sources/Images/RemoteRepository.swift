package import OCI
package import Registry

import Linux

/// What a registry says of a repository, without bringing anything of it.
package struct RemoteRepository: Sendable {
    package let reference: ImageReference
    private let client: RegistryClient

    /// `name`: as the user typed it.
    package init(_ name: String, verifiesTLS: Bool = true) throws {
        reference = try ImageReference(name)
        var opening = RegistryMessage.Opening(reference, verifiesTLS: verifiesTLS)
        opening.isShort = ImageReference.isShort(name)
        client = try RegistryClient(opening)
    }

    package func close() { client.close() }

    /// In the registry's order.
    package func tags() throws -> [String] { try client.tags() }

    /// The manifest, or index, as it is there. Failure where it is not what the digest in the name says.
    package func manifest() throws -> [UInt8] {
        let bytes = try client.manifest(reference.digest?.description ?? reference.tag ?? "latest").bytes
        if let digest = reference.digest, digest != SHA256.digest(of: bytes) {
            throw Failure("\(reference.familiar): the registry sent \(SHA256.digest(of: bytes)) for it")
        }
        return bytes
    }

    /// What refers to the manifest, or index; `type`: only artifacts of this type.
    package func referrers(type: String?) throws -> [RegistryMessage.Referrer] {
        let digest = try reference.digest ?? SHA256.digest(of: manifest())
        return try client.referrers(to: digest, type: type)
    }

    /// Repositories of the registry `domain` that it finds for `term`; at most `limit`.
    package static func search(_ domain: String, for term: String, limit: Int, verifiesTLS: Bool) throws
        -> [RegistryMessage.Found]
    {
        let opening = RegistryMessage.Opening(domain: domain, path: "", verifiesTLS: verifiesTLS)
        let client = try RegistryClient(opening)
        defer { client.close() }
        return try client.search(term, limit: limit)
    }
}
