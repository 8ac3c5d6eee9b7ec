/// What mica and mica-registry say to each other: JSON documents, one a line, on mica-registry's standard input and
/// output. The first line is an `Opening`, all others are requests. Replies come in any order; the last one to a request
/// says so.
package enum RegistryMessage {
    /// One repository of one registry.
    package struct Opening: Codable, Sendable {
        /// As in a reference: a host, maybe with a port.
        package var domain: String
        package var path: String
        /// Certificates are verified, and plain HTTP is for this machine only.
        package var verifiesTLS: Bool

        package init(domain: String, path: String, verifiesTLS: Bool) {
            self.domain = domain
            self.path = path
            self.verifiesTLS = verifiesTLS
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
        }
        package var id: Int
        package var kind: Kind
        package var name: String
        package var size: UInt64?
        package var path: String?

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
        /// Bytes of a blob that are in its file.
        package var done: UInt64?
        package var isLast = false
        package var failure: String?
        package var advice: String?

        package init(id: Int) { self.id = id }
    }
}
