import Linux
import OCI

extension Store {
    /// Adds to a lease, which is made when it is missing; what it holds, no collection takes. `expires`: Unix
    /// nanoseconds, and replaces what was said before.
    ///
    /// `snapshots`: keys of mica's own, of snapshots that exist or will. `layers`: published, of no image yet; they are
    /// recorded, and go with the lease unless something else has them by then. The caller holds the store's lock, so that
    /// nothing is collected meanwhile. `freeing`: it has to be possible on a full disk.
    package func lease(
        _ id: String,
        expires: Int64?,
        holding snapshots: [String] = [],
        layers: [NewLayer] = [],
        freeing: Bool = false
    ) throws {
        try write(freeing: freeing) { connection in
            try connection.run(
                """
                INSERT INTO leases (id, created, expires) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET expires = excluded.expires
                """,
                id,
                now(),
                expires
            )
            for key in snapshots {
                try connection.run(
                    "INSERT OR IGNORE INTO lease_snapshots (lease, key) VALUES (?, ?)",
                    id,
                    key
                )
            }
            for layer in layers {
                try connection.run(
                    "INSERT OR IGNORE INTO lease_layers (lease, layer) VALUES (?, ?)",
                    id,
                    connection.add(layer)
                )
            }
        }
    }

    /// One that is gone is fine.
    package func removeLease(_ id: String) throws {
        try write(freeing: true) { try $0.removeLease(id) }
    }

    package func leases() throws -> [Lease] {
        try read { connection in
            try connection.rows("SELECT id, created, expires FROM leases ORDER BY created, id") { row in
                let id: String = try row[0]
                let keys = try connection.rows(
                    "SELECT key FROM lease_snapshots WHERE lease = ? ORDER BY key",
                    id
                ) { try $0[0] as String }
                let layers = try connection.rows(
                    "SELECT diffid FROM lease_layers JOIN layers ON layers.id = layer WHERE lease = ? ORDER BY diffid",
                    id
                ) { try $0[0] as Digest }
                return Lease(
                    id: id,
                    created: try row[1],
                    expires: try row[2],
                    snapshots: keys,
                    layers: layers
                )
            }
        }
    }
}

extension Connection {
    func removeLease(_ id: String) throws { try run("DELETE FROM leases WHERE id = ?", id) }

    /// Which one holds a layer, by its row.
    func lease(onLayer row: Int64) throws -> String? {
        try value("SELECT lease FROM lease_layers WHERE layer = ? LIMIT 1", row)
    }
}
