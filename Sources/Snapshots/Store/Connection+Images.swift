import Linux
import OCI

/// A row of `images` is known by its rowid here; the record is read once it is needed.
extension Connection {
    func layer(_ diffID: Digest) throws -> Int64? {
        try value("SELECT id FROM layers WHERE diffid = ?", diffID)
    }

    func add(_ layer: NewLayer) throws -> Int64 {
        let row: Int64
        if let known = try self.layer(layer.diffID) {
            row = known
        } else {
            try run(
                "INSERT INTO layers (diffid, tar_size, content_size) VALUES (?, ?, ?)",
                layer.diffID,
                layer.tarSize,
                layer.contentSize
            )
            row = lastInsertedRow
        }
        for blob in layer.blobs { try add(blob, to: row) }
        return row
    }

    func add(_ image: NewImage) throws -> ImageRecord {
        let digest = SHA256.digest(of: image.config)
        let layers = try image.layers.map { try add($0) }
        let row: Int64
        if let known = try imageRow(digest) {
            row = known
            try run(
                "UPDATE images SET manifest = coalesce(?, manifest) WHERE id = ?",
                image.manifestDigest,
                row
            )
            let count: Int64? = try value("SELECT count(*) FROM image_layers WHERE image = ?", row)
            if count == 0, !layers.isEmpty {
                // It was recorded without them.
                let top = try addChain(image.layers.map(\.diffID), layers: layers)
                try run("UPDATE images SET top = ? WHERE id = ?", top, row)
                try add(layers, to: row)
            }
        } else {
            // A config that says something strange elsewhere is not refused here for it.
            let created = (try? ImageConfig(json: image.config, name: "\(digest)"))?.createdSeconds ?? 0
            let top = try addChain(image.layers.map(\.diffID), layers: layers)
            try run(
                "INSERT INTO images (digest, config, manifest, top, created) VALUES (?, ?, ?, ?, ?)",
                digest,
                image.config,
                image.manifestDigest,
                top,
                created
            )
            row = lastInsertedRow
            try add(layers, to: row)
        }
        let document = try add(image.documents, to: row)
        for name in image.tags { try tag(row, as: name, document: document) }
        return try imageRecord(row)
    }

    private func add(_ layers: [Int64], to image: Int64) throws {
        for (position, layer) in layers.enumerated() {
            try run(
                "INSERT INTO image_layers (image, position, layer) VALUES (?, ?, ?)",
                image,
                Int64(position),
                layer
            )
        }
    }

    /// The committed snapshots of every prefix of a stack, made where they are missing; the topmost's row.
    func addChain(_ diffIDs: [Digest], layers: [Int64]) throws -> Int64? {
        var parent: Int64?
        let time = now()
        for (chain, layer) in zip(ChainID.all(of: diffIDs), layers) {
            if let row = try snapshotRow("\(chain)") {
                parent = row
                continue
            }
            try run(
                """
                INSERT INTO snapshots (key, kind, parent, layer, implied, created, updated)
                VALUES (?, 3, ?, ?, 1, ?, ?)
                """,
                "\(chain)",
                parent,
                layer,
                time,
                time
            )
            parent = lastInsertedRow
        }
        return parent
    }

    /// `document`: the row of what came under the name; without one, what came under it for the same image stays.
    func tag(_ row: Int64, as name: String, document: Int64? = nil) throws {
        let name = try ImageReference(name).description
        let holder: Int64? = try value("SELECT image FROM tags WHERE name = ?", name)
        if holder == row {
            guard let document else { return }
            try run("UPDATE tags SET document = ? WHERE name = ?", document, name)
            return
        }
        try run("INSERT OR REPLACE INTO tags (name, image, document) VALUES (?, ?, ?)", name, row, document)
    }

    func imageRow(_ id: Digest) throws -> Int64? {
        try value("SELECT id FROM images WHERE digest = ?", id)
    }

    /// A name goes before an ID, as in docker.
    func imageRow(named name: String) throws -> Int64? {
        if let reference = try? ImageReference(name), let digest = reference.digest {
            // An index that images of several platforms came with: the one that came last.
            return try value(
                """
                SELECT id FROM images WHERE manifest = ?1 OR id IN (
                    SELECT image FROM image_documents JOIN documents ON documents.id = document WHERE digest = ?1
                ) ORDER BY manifest IS ?1 DESC, id DESC LIMIT 1
                """,
                digest
            )
        }
        if let tag = try imageTag(name) { return try value("SELECT image FROM tags WHERE name = ?", tag) }
        let hex = name.hasPrefix("sha256:") ? name.dropFirst(7) : name[...]
        guard hex.count >= 4, hex.count <= 64,
            let low = Digest(hex: hex + String(repeating: "0", count: 64 - hex.count)),
            let high = Digest(hex: hex + String(repeating: "f", count: 64 - hex.count))
        else { return nil }
        let rows = try rows("SELECT id FROM images WHERE digest BETWEEN ? AND ? LIMIT 2", low, high) {
            try $0[0] as Int64
        }
        guard rows.count < 2 else {
            throw Failure(
                "\(name) is the beginning of more than one image's ID",
                advice: "Give more digits.",
                kind: .invalidArgument
            )
        }
        return rows.first
    }

    /// The tag that is meant by `name`, whole; nil where there is none. What podman builds it calls `localhost/NAME`:
    /// that is meant by NAME where docker.io has none.
    func imageTag(_ name: String) throws -> String? {
        guard let reference = try? ImageReference(name), reference.digest == nil else { return nil }
        var names = [reference.description]
        if reference.domain == "docker.io", !name.hasPrefix("docker.io/") {
            names.append("localhost/\(reference.familiar)")
        }
        for name in names {
            if let found: String = try value("SELECT name FROM tags WHERE name = ?", name) { return found }
        }
        return nil
    }

    /// What to say where there is no image of this name: which tags there are, if any.
    func noSuchImage(_ name: String) throws -> Failure {
        guard let reference = try? ImageReference(name) else { return Failure.noSuchImage(name) }
        let tags = try rows("SELECT name FROM tags ORDER BY name") { try $0[0] as String }
            .compactMap { try? ImageReference($0) }
            .filter {
                [reference.familiarName, "localhost/\(reference.familiarName)"].contains($0.familiarName)
            }
            .map(\.familiar)
        let shown = tags.prefix(10).joined(separator: ", ") + (tags.count > 10 ? ", …" : "")
        guard !tags.isEmpty else { return Failure.noSuchImage(name) }
        return Failure(
            "no such image: \(reference.familiar)",
            advice: tags.count == 1 ? "There is \(shown)." : "There are \(shown).",
            kind: .notFound
        )
    }

    func imageRecord(_ row: Int64) throws -> ImageRecord {
        let layers = try rows(
            """
            SELECT diffid, content_size FROM image_layers JOIN layers ON layers.id = image_layers.layer
            WHERE image = ? ORDER BY position
            """,
            row
        ) { (diffID: try $0[0] as Digest, size: try $0[1] as UInt64) }
        let tags = try rows("SELECT name FROM tags WHERE image = ? ORDER BY name", row) {
            try $0[0] as String
        }
        let record = try first("SELECT digest, config, manifest, created FROM images WHERE id = ?", row) {
            ImageRecord(
                id: try $0[0],
                config: try $0[1],
                manifestDigest: try $0[2],
                layers: layers.map(\.diffID),
                tags: tags,
                created: try $0[3],
                size: layers.reduce(0) { $0.addingReportingOverflow($1.size).partialValue }
            )
        }
        guard let record else { throw Failure("image row \(row) is gone") }
        return record
    }
}
