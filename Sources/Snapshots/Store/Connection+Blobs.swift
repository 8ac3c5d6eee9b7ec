import Linux
import OCI

extension Connection {
    func blobs(of layer: Digest) throws -> [LayerBlob] {
        try rows(
            """
            SELECT digest, size, media_type, annotations, verified FROM blobs JOIN layers ON layers.id = layer
            WHERE diffid = ? ORDER BY digest
            """,
            layer
        ) { row in
            LayerBlob(
                digest: try row[0],
                size: try row[1],
                mediaType: try row[2],
                annotations: try JSONDocument.decode(
                    [String: String].self,
                    from: Array((try row[3] as String).utf8),
                    name: "mica.db: annotations of a blob of layer \(layer)"
                ),
                isVerified: try row[4]
            )
        }
    }

    /// `layer`: the row. What the store has noted of the blob before stays.
    func add(_ blob: LayerBlob, to layer: Int64) throws {
        let noted: String? = try value(
            "SELECT annotations FROM blobs WHERE layer = ? AND digest = ?",
            layer,
            blob.digest
        )
        let known = try noted.map {
            try JSONDocument.decode([String: String].self, from: Array($0.utf8), name: "mica.db: annotations")
        }
        let own = (known ?? [:]).filter { $0.key.hasPrefix(LayerBlob.ownPrefix) }
        try run(
            """
            INSERT INTO blobs (layer, digest, size, media_type, annotations, verified) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (layer, digest) DO UPDATE SET
                size = iif(verified AND NOT excluded.verified, size, excluded.size),
                media_type = excluded.media_type, annotations = excluded.annotations,
                verified = max(verified, excluded.verified)
            """,
            layer,
            blob.digest,
            blob.size,
            blob.mediaType,
            String(
                decoding: try JSONDocument.encode(blob.annotations.merging(own) { new, _ in new }),
                as: UTF8.self
            ),
            blob.isVerified
        )
    }
}

extension Failure {
    static func noSuchLayer(_ diffID: Digest) -> Failure {
        Failure("layer \(diffID) is not in the store", kind: .notFound)
    }
}
