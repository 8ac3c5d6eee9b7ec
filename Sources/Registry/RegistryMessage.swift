package import OCI

/// What mica and mica-registry say to each other: JSON documents, one a line, on mica-registry's standard input and
/// output. The first line is an `Opening`, all others are requests. Replies come in any order; the last one to a request
/// says so.
package enum RegistryMessage {
    /// One repository of one registry.
    package struct Opening: Codable, Sendable {
        /// As in a reference: a host, maybe with a port.
        package var domain: String
        /// Empty where only the registry is meant.
        package var path: String
        /// Certificates are verified, and plain HTTP is for this machine only.
        package var verifiesTLS: Bool
        /// Nothing is sent there: mirrors will do.
        package var isToRead = true
        /// It is a digest that is asked for, and no tag.
        package var isForDigest = false
        /// The user's name for it has no registry.
        package var isShort = false

        package init(domain: String, path: String, verifiesTLS: Bool) {
            self.domain = domain
            self.path = path
            self.verifiesTLS = verifiesTLS
        }

        /// For the repository of `reference`.
        package init(_ reference: ImageReference, verifiesTLS: Bool = true) {
            self.init(domain: reference.domain, path: reference.path, verifiesTLS: verifiesTLS)
            isForDigest = reference.digest != nil
        }
    }

    package struct Request: Codable, Sendable {
        package enum Kind: String, Codable, Sendable {
            /// `name`: a tag or a digest. The reply has media type and body.
            case manifest
            /// `name`: a digest. The reply has the body, of at most `size` bytes.
            case document
            /// `name`: a digest. The blob of `size` bytes is brought into the file `path`, from where that ends; replies
            /// tell how many bytes are there.
            case blob
            /// The reply has them as words.
            case tags
            /// `name`: a digest. The reply has what refers to it; `mediaType`: only artifacts of this type.
            case referrers
            /// Whether there is a blob, `name` its digest, of `size` bytes; a manifest, `name` a tag or a digest.
            case holds, holdsManifest
            /// Takes the blob `name` over from the repository `path`, where that can be.
            case mount
            /// Sends the file `path`, which is the blob `name` of `size` bytes; replies tell how many are sent.
            case upload
            /// Sends `body`, which is of `mediaType`, as the manifest `name`, a tag or a digest.
            case put
            /// Keeps `user` and `password` for the registry, once that has taken them; the reply says where.
            case login
            /// Forgets them; the reply says where they were.
            case logout
            /// `name`: a part of names; at most `size` are found.
            case search
            /// `name`: the URL of a file of any server, of at most `size` bytes. It is brought into the file `path`; all
            /// replies say what the server says of it.
            case fetch
        }
        package var id: Int
        package var kind: Kind
        package var name: String
        package var size: UInt64?
        package var path: String?
        package var mediaType: String?
        /// Base64.
        package var body: String?
        package var user: String?
        package var password: String?

        package init(id: Int, kind: Kind, name: String) {
            self.id = id
            self.kind = kind
            self.name = name
        }
    }

    package struct Reply: Codable, Sendable {
        package var id: Int
        package var mediaType: String?
        /// Base64.
        package var body: String?
        /// Bytes of a blob that are in its file, or were sent.
        package var done: UInt64?
        package var words: [String]?
        package var found: [Found]?
        package var referrers: [Referrer]?
        package var isThere: Bool?
        /// Of a file that is fetched: a strong entity tag, and when it was modified, in Unix seconds.
        package var entityTag: String?
        package var modified: Int64?
        package var isLast = false
        package var failure: String?
        package var advice: String?
        /// The failure is that the registry has no such thing.
        package var isMissing: Bool?

        package init(id: Int) { self.id = id }
    }

    /// A manifest that refers to another one, such as a signature: its descriptor.
    package struct Referrer: Codable, Sendable {
        package var digest: String
        package var mediaType: String?
        package var artifactType: String?
        package var size: UInt64?
        package var annotations: [String: String]?
    }

    /// A repository that a search has found.
    package struct Found: Codable, Sendable {
        package var name: String
        package var description: String
        package var stars: Int
        package var isOfficial: Bool

        package init(name: String, description: String = "", stars: Int = 0, isOfficial: Bool = false) {
            self.name = name
            self.description = description
            self.stars = stars
            self.isOfficial = isOfficial
        }
    }
}
