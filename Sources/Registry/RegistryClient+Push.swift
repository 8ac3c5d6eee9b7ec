package import Digests
package import SystemPackage

import FoundationEssentials

extension RegistryClient {
    /// Whether the repository has a blob of this digest and size.
    package func holds(_ digest: Digest, size: UInt64) throws -> Bool {
        try answer(.holds, digest.description) { $0.size = size }.isThere ?? false
    }

    /// Whether it has a manifest, by tag or digest.
    package func holdsManifest(_ name: String) throws -> Bool {
        try answer(.holdsManifest, name).isThere ?? false
    }

    /// Has the registry take a blob over from another of its repositories. false where it does not.
    package func mount(_ digest: Digest, from path: String) throws -> Bool {
        try answer(.mount, digest.description) { $0.path = path }.isThere ?? false
    }

    /// Sends a blob, which is the file at `path`. `news`: how many bytes are sent.
    package func upload(
        _ digest: Digest,
        size: UInt64,
        from path: FilePath,
        news: (UInt64) throws -> Void
    ) throws {
        let id = try ask(.upload, digest.description) {
            $0.size = size
            $0.path = path.string
        }
        while true {
            let reply = try reply(to: id)
            if let done = reply.done { try news(done) }
            if reply.isLast { return }
        }
    }

    /// Sends a manifest, as a tag or a digest.
    package func put(_ name: String, mediaType: String, _ bytes: [UInt8]) throws {
        _ = try answer(.put, name) {
            $0.mediaType = mediaType
            $0.body = Data(bytes).base64EncodedString()
        }
    }

    /// Keeps a name and a password, once the registry has taken them. Returns where, in words.
    package func login(user: String, password: String) throws -> String {
        try answer(.login) {
            $0.user = user
            $0.password = password
        }.words?.first ?? ""
    }

    /// Forgets them. Returns the files in which they were.
    package func logout() throws -> [String] { try answer(.logout).words ?? [] }
}
