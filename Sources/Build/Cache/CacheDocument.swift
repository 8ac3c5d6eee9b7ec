import OCI

/// What a cache says of its layers: which step made each, and on what. It is the config of a manifest whose layers they
/// are, in the order of `diffIDs`.
struct CacheDocument: Codable {
    static let mediaType = "application/vnd.mica.build.cache.v1+json"

    struct Step: Codable {
        var key: Digest
        /// Its place among `diffIDs`.
        var layer: Int
        /// Unix nanoseconds.
        var created: Int64
        /// The instruction, as it is in the Dockerfile.
        var text: String
    }

    var diffIDs: [Digest]
    var steps: [Step]

    enum CodingKeys: String, CodingKey {
        case diffIDs = "diff_ids"
        case steps
    }
}
