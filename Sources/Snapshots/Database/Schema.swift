import Linux

/// The database's schema, as the list of steps that made it. A step, once released, never changes.
///
/// PRAGMA user_version holds how many steps a database has had.
package enum Schema {
    package static var current: Int64 { Int64(steps.count) }

    package static let steps: [String] = [
        """
        CREATE TABLE layers (
            id INTEGER PRIMARY KEY,
            diffid BLOB NOT NULL UNIQUE CHECK (length(diffid) = 32),
            tar_size INTEGER NOT NULL,
            content_size INTEGER NOT NULL
        ) STRICT;

        -- One key space. kind: containerd's numbers, 1 view, 2 active, 3 committed. The id is the name of
        -- the directory and never used again. implied: made for an image, goes when nothing needs it.
        CREATE TABLE snapshots (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,
            kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),
            parent INTEGER REFERENCES snapshots,
            layer INTEGER REFERENCES layers,
            implied INTEGER NOT NULL DEFAULT 0,
            created INTEGER NOT NULL,
            updated INTEGER NOT NULL,
            CHECK ((kind = 3) = (layer IS NOT NULL))
        ) STRICT;
        CREATE INDEX snapshots_parent ON snapshots (parent);
        CREATE INDEX snapshots_layer ON snapshots (layer);

        CREATE TABLE snapshot_labels (
            snapshot INTEGER NOT NULL REFERENCES snapshots ON DELETE CASCADE,
            name TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (snapshot, name)
        ) STRICT, WITHOUT ROWID;

        -- top: the committed snapshot of all layers; NULL for an image without layers.
        CREATE TABLE images (
            id INTEGER PRIMARY KEY,
            digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            config BLOB NOT NULL,
            manifest BLOB CHECK (length(manifest) = 32),
            top INTEGER REFERENCES snapshots,
            created INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX images_top ON images (top);

        CREATE TABLE image_layers (
            image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
            position INTEGER NOT NULL,
            layer INTEGER NOT NULL REFERENCES layers,
            PRIMARY KEY (image, position)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX image_layers_layer ON image_layers (layer);

        CREATE TABLE tags (
            name TEXT PRIMARY KEY,
            image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tags_image ON tags (image);

        CREATE TABLE containers (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            image INTEGER NOT NULL REFERENCES images,
            image_name TEXT NOT NULL,
            snapshot INTEGER NOT NULL REFERENCES snapshots,
            created INTEGER NOT NULL,
            config BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX containers_image ON containers (image);
        CREATE INDEX containers_snapshot ON containers (snapshot);

        -- A row is true while the file mounts/<id> is locked. owns: the snapshot goes with the mount.
        CREATE TABLE mounts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            snapshot INTEGER REFERENCES snapshots,
            owns INTEGER NOT NULL,
            source TEXT NOT NULL,
            target BLOB NOT NULL,
            created INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX mounts_snapshot ON mounts (snapshot);

        CREATE TABLE leases (
            id TEXT PRIMARY KEY,
            created INTEGER NOT NULL,
            expires INTEGER
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE lease_snapshots (
            lease TEXT NOT NULL REFERENCES leases ON DELETE CASCADE,
            key TEXT NOT NULL,
            PRIMARY KEY (lease, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX lease_snapshots_key ON lease_snapshots (key);
        """,
        """
        -- One row. generation: durable changes so far, see StoreGeneration.
        CREATE TABLE store (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            generation INTEGER NOT NULL
        ) STRICT;
        INSERT INTO store (id, generation) VALUES (1, 0);
        """,
        """
        -- Keys are unique within a space: '' is mica's own. An active snapshot may have a layer: one that was
        -- imported as its content. Numbers that were given once are not given again.
        CREATE TABLE snapshots_with_spaces (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            space TEXT NOT NULL DEFAULT '',
            key TEXT NOT NULL,
            kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),
            parent INTEGER REFERENCES snapshots,
            layer INTEGER REFERENCES layers,
            implied INTEGER NOT NULL DEFAULT 0,
            created INTEGER NOT NULL,
            updated INTEGER NOT NULL,
            UNIQUE (space, key),
            CHECK (kind <> 3 OR layer IS NOT NULL),
            CHECK (kind <> 1 OR layer IS NULL)
        ) STRICT;
        INSERT INTO snapshots_with_spaces (id, space, key, kind, parent, layer, implied, created, updated)
            SELECT id, '', key, kind, parent, layer, implied, created, updated FROM snapshots;
        DELETE FROM sqlite_sequence WHERE name = 'snapshots_with_spaces';
        INSERT INTO sqlite_sequence (name, seq)
            SELECT 'snapshots_with_spaces', seq FROM sqlite_sequence WHERE name = 'snapshots';
        DROP TABLE snapshots;
        ALTER TABLE snapshots_with_spaces RENAME TO snapshots;
        CREATE INDEX snapshots_parent ON snapshots (parent);
        CREATE INDEX snapshots_layer ON snapshots (layer);

        -- What layers came as. annotations: JSON, an object of strings. verified: its bytes were read and were this
        -- layer; otherwise only a manifest says so.
        CREATE TABLE blobs (
            layer INTEGER NOT NULL REFERENCES layers ON DELETE CASCADE,
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            size INTEGER NOT NULL,
            media_type TEXT NOT NULL,
            annotations TEXT NOT NULL,
            verified INTEGER NOT NULL,
            PRIMARY KEY (layer, digest)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX blobs_digest ON blobs (digest);

        -- Manifests and indexes, byte for byte as they came, and the images that they lead to. position: the
        -- manifest 0, the index that has it 1, and so on outwards.
        CREATE TABLE documents (
            id INTEGER PRIMARY KEY,
            digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            media_type TEXT NOT NULL,
            bytes BLOB NOT NULL
        ) STRICT;
        CREATE TABLE image_documents (
            image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
            document INTEGER NOT NULL REFERENCES documents,
            position INTEGER NOT NULL,
            PRIMARY KEY (image, document)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX image_documents_document ON image_documents (document);

        -- document: the outermost one that came under this name; NULL where none did.
        ALTER TABLE tags ADD COLUMN document INTEGER REFERENCES documents;
        CREATE INDEX tags_document ON tags (document);

        CREATE TABLE lease_layers (
            lease TEXT NOT NULL REFERENCES leases ON DELETE CASCADE,
            layer INTEGER NOT NULL REFERENCES layers ON DELETE CASCADE,
            PRIMARY KEY (lease, layer)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX lease_layers_layer ON lease_layers (layer);
        """,
    ]

    /// Brings the database to `target`, one transaction for all steps. Writes nothing when it is there
    /// already. Refuses one that is newer than `steps`.
    /// `ifNew` is asked whether a database without any step may be begun: it throws where not.
    package static func migrate(
        _ connection: Connection,
        steps: [String] = steps,
        ifNew: () throws -> Void = {}
    ) throws {
        let target = Int64(steps.count)
        var version = try self.version(of: connection)
        if version == target { return }
        if version == 0 {
            try ifNew()
            // Outside a transaction, and before the first.
            try connection.useWriteAheadLog()
        }
        // A table that is made again would take what refers to it along. It is a setting of the connection, which a
        // transaction does not change.
        try connection.execute("PRAGMA foreign_keys = OFF")
        defer { try? connection.execute("PRAGMA foreign_keys = ON") }
        do {
            if version > 0 { try connection.reserveLogIndex() }
            try connection.transaction(writing: true) {
                version = try self.version(of: connection)  // another process may have been faster
                guard version <= target else { throw refusal(of: version, knowing: target) }
                for step in steps.dropFirst(Int(version)) { try connection.execute(step) }
                try connection.execute("PRAGMA user_version = \(target)")
            }
        } catch var failure as Failure where failure.kind == .noSpace && version > 0 {
            failure.message =
                "the store's database is from an older mica, and there is no room to bring it from version "
                + "\(version) to \(target): \(failure.message)"
            // Which no command of mica's could free: each begins with the database.
            failure.advice =
                "Nothing has changed in it. Free about as much as mica.db has on its filesystem, and try again."
            throw failure
        }
        // A young database must not be in its log alone: without that it would be an empty one.
        connection.emptyLog()
    }

    /// For a transaction that has begun. failedPrecondition where the database is not of this version any more: a newer mica
    /// has brought it further since this process opened it, and what its tables mean may have changed.
    static func check(_ connection: Connection) throws {
        let version = try version(of: connection)
        guard version != current else { return }
        throw refusal(of: version, knowing: current)
    }

    private static func refusal(of version: Int64, knowing target: Int64) -> Failure {
        Failure(
            "the store's database has version \(version); this mica knows versions up to \(target)",
            advice:
                "Use the newer mica that wrote it, or another --root. What has run since before: restart it.",
            kind: .failedPrecondition
        )
    }

    package static func version(of connection: Connection) throws -> Int64 {
        let version: Int64? = try connection.value("PRAGMA user_version")
        guard let version, version >= 0 else { throw Failure("mica.db has no valid version") }
        return version
    }
}
