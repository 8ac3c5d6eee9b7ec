import Linux

extension Store {
    /// Adds snapshots to a lease, which is made when it is missing. `expires`: Unix nanoseconds.
    package func lease(_ id: String, expires: Int64?, holding snapshots: [String]) throws {
        try write { connection in
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
        }
    }

    /// One that is gone is fine.
    package func removeLease(_ id: String) throws {
        try write { try $0.run("DELETE FROM leases WHERE id = ?", id) }
    }

    package func leases() throws -> [Lease] {
        try read { connection in
            try connection.rows("SELECT id, created, expires FROM leases ORDER BY created, id") { row in
                let id: String = try row[0]
                let keys = try connection.rows(
                    "SELECT key FROM lease_snapshots WHERE lease = ? ORDER BY key",
                    id
                ) { try $0[0] as String }
                return Lease(id: id, created: try row[1], expires: try row[2], snapshots: keys)
            }
        }
    }
}
