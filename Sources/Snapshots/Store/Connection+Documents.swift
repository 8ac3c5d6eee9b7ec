import Linux
import OCI

extension Connection {
    /// The row. One that is there already keeps it; if it was damaged, it is whole again.
    func add(_ document: ImageDocument) throws -> Int64 {
        try run(
            """
            INSERT INTO documents (digest, media_type, bytes) VALUES (?, ?, ?)
            ON CONFLICT (digest) DO UPDATE SET media_type = excluded.media_type, bytes = excluded.bytes
            """,
            document.digest,
            document.mediaType,
            document.bytes
        )
        // Not the last row: an update has none.
        guard let row: Int64 = try value("SELECT id FROM documents WHERE digest = ?", document.digest) else {
            throw Failure("document \(document.digest) was not recorded")
        }
        return row
    }

    /// Records what leads to an image, from its manifest outwards. Returns the outermost one's row.
    func add(_ documents: [ImageDocument], to image: Int64) throws -> Int64? {
        var outermost: Int64?
        for (position, document) in documents.enumerated() {
            let row = try add(document)
            try run(
                """
                INSERT INTO image_documents (image, document, position) VALUES (?, ?, ?)
                ON CONFLICT (image, document) DO UPDATE SET position = excluded.position
                """,
                image,
                row,
                Int64(position)
            )
            outermost = row
        }
        return outermost
    }

    /// Removes those that lead to no image any more.
    func removeUnusedDocuments() throws {
        try run(
            """
            DELETE FROM documents WHERE id NOT IN (SELECT document FROM image_documents)
            AND id NOT IN (SELECT document FROM tags WHERE document IS NOT NULL)
            """
        )
    }
}
