package import OCI

extension Store {
    /// The manifests and indexes that lead to an image: manifests first, and then outwards; of those that are as far out,
    /// the one that came last first. Empty for an image that was made here, or is not in the store.
    package func documents(of image: Digest) throws -> [ImageDocument] {
        try read { connection in
            try connection.rows(
                """
                SELECT documents.digest, media_type, bytes FROM image_documents
                JOIN documents ON documents.id = document JOIN images ON images.id = image
                WHERE images.digest = ? ORDER BY position, documents.id DESC
                """,
                image
            ) { ImageDocument(digest: try $0[0], mediaType: try $0[1], bytes: try $0[2]) }
        }
    }

    /// nil where it is not there.
    package func document(_ digest: Digest) throws -> ImageDocument? {
        try read { connection in
            try connection.first("SELECT media_type, bytes FROM documents WHERE digest = ?", digest) {
                ImageDocument(digest: digest, mediaType: try $0[0], bytes: try $0[1])
            }
        }
    }

    /// What came under a name from a registry or an archive: an index, or a manifest where there was none around it.
    /// `tag`: whole, as in `ImageRecord.tags`. nil where there is no such name, or it was given here.
    package func document(tagged tag: String) throws -> Digest? {
        try read { connection in
            try connection.value(
                "SELECT digest FROM tags JOIN documents ON documents.id = document WHERE name = ?",
                tag
            )
        }
    }
}
