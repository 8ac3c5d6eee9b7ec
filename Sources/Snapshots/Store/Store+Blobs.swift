package import OCI

import Linux

extension Store {
    /// What the layer has come as, in the order of digests. Empty where that was not recorded, and where there is no such layer.
    package func blobs(of layer: Digest) throws -> [LayerBlob] {
        try read { try $0.blobs(of: layer) }
    }

    /// Records what a layer of the store has come as; of what is known already, the newest is what counts, and what was
    /// verified stays so. notFound: there is no such layer.
    package func add(blobs: [LayerBlob], to layer: Digest) throws {
        try write { connection in
            guard let row = try connection.layer(layer) else { throw Failure.noSuchLayer(layer) }
            for blob in blobs { try connection.add(blob, to: row) }
        }
    }

    /// The layer that unpacking this blob gives, where the blob was read here once and the layer is in the store.
    package func layer(ofBlob digest: Digest) throws -> NewLayer? {
        try read { connection in
            let diffID: Digest? = try connection.value(
                """
                SELECT diffid FROM blobs JOIN layers ON layers.id = layer
                WHERE digest = ? AND verified ORDER BY layer LIMIT 1
                """,
                digest
            )
            return try diffID.map { try connection.newLayer($0) }
        }
    }
}
