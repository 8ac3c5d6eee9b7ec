package import OCI

import Linux

extension Store {
    package func hasLayer(_ diffID: Digest) throws -> Bool {
        try read { try $0.layer(diffID) != nil }
    }

    /// nil where it is not there.
    package func layer(_ diffID: Digest) throws -> NewLayer? {
        try read { connection in
            try connection.first("SELECT tar_size, content_size FROM layers WHERE diffid = ?", diffID) {
                NewLayer(diffID: diffID, tarSize: try $0[0], contentSize: try $0[1])
            }
        }
    }

    /// Several images of one archive: all of them or none. `releasing`: a lease on their layers, that goes with it.
    /// Indexes their stacks.
    package func add(images: [NewImage], releasing lease: String? = nil) throws -> [ImageRecord] {
        let records = try write { connection in
            let records = try images.map { try connection.add($0) }
            if let lease { try connection.removeLease(lease) }
            return records
        }
        indexStacks(of: records)
        return records
    }

    /// Records an image and its layers, all published already, in one transaction. Every prefix of its stack
    /// exists as a committed snapshot afterwards, named by its chain ID. Recording an image again is fine; its
    /// tags, documents and blobs are added, and tags leave the images that had them. Indexes its stack.
    @discardableResult
    package func add(image: NewImage) throws -> ImageRecord {
        let record = try write { try $0.add(image) }
        indexStacks(of: [record])
        return record
    }

    /// Records the manifest that an image was pushed with. An image that was removed meanwhile stays away.
    package func note(manifest: ImageDocument, of image: Digest) throws {
        try write { connection in
            guard let row = try connection.imageRow(image) else { return }
            try connection.run("UPDATE images SET manifest = ? WHERE id = ?", manifest.digest, row)
            _ = try connection.add([manifest], to: row)
        }
    }

    /// By reference (`localhost/` may be left out), full ID, or a prefix of an ID (at least 4 hex digits) that only one
    /// image has. Failure (notFound) otherwise, with the tags that the image has.
    package func image(named name: String) throws -> ImageRecord {
        try read { connection in
            guard let row = try connection.imageRow(named: name) else {
                throw try connection.noSuchImage(name)
            }
            return try connection.imageRecord(row)
        }
    }

    package func image(_ id: Digest) throws -> ImageRecord? {
        try read { connection in
            try connection.imageRow(id).map { try connection.imageRecord($0) }
        }
    }

    /// Newest first.
    package func images() throws -> [ImageRecord] {
        try read { connection in
            try connection.rows("SELECT id FROM images ORDER BY created DESC, id DESC") { try $0[0] as Int64 }
                .map { try connection.imageRecord($0) }
        }
    }

    /// Gives an image a name, which leaves the image that had it.
    package func tag(_ image: Digest, as tag: String) throws {
        try write { connection in
            guard let row = try connection.imageRow(image) else { throw Failure.noSuchImage("\(image)") }
            try connection.tag(row, as: tag)
        }
        tell("tag", of: image, named: tag)
    }

    /// Removes a name, and the image with its last one; by ID: the image. Refuses (failedPrecondition) what a
    /// container uses, and an ID with several names unless `force`. Rows only: the collector frees the space.
    package func removeImage(named name: String, force: Bool) throws -> Removal {
        let removal = try write(freeing: true) { try $0.removeImage(named: name, force: force) }
        for tag in removal.untagged { tell("untag", of: removal.image, named: tag) }
        for image in removal.deleted { tell("delete", of: image, named: nil) }
        return removal
    }
}

extension Failure {
    static func noSuchImage(_ name: String) -> Failure { Failure("no such image: \(name)", kind: .notFound) }
}

extension Store {
    /// The key of the committed snapshot that has all of an image's layers; nil for an image without layers.
    package func topSnapshot(of image: Digest) throws -> String? {
        try read { connection in
            try connection.value(
                "SELECT key FROM snapshots JOIN images ON images.top = snapshots.id WHERE digest = ?",
                image
            )
        }
    }
}
