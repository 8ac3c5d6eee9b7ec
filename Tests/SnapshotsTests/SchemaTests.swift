import Foundation
import Linux
import Snapshots
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Database schema` {
    /// A database file in a private directory.
    private func withFile(_ body: (FilePath) throws -> Void) throws {
        let directory = FilePath("/var/tmp/mica-schema-\(UUID())")
        try directory.makeDirectory()
        defer { try? directory.removeTree() }
        try body(directory.appending("mica.db"))
    }

    private func tables(_ connection: Connection) throws -> [String] {
        try connection.rows("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name") { try $0[0] }
    }

    @Test func `is the same from every version it ever had`() throws {
        var fresh: [String] = []
        try withFile { path in
            let connection = try Connection(path)
            try Schema.migrate(connection)
            fresh = try tables(connection)
        }
        for version in 0...Schema.steps.count {
            try withFile { path in
                let connection = try Connection(path)
                try Schema.migrate(connection, steps: Array(Schema.steps[..<version]))
                #expect(try Schema.version(of: connection) == Int64(version))
                try Schema.migrate(connection)
                #expect(try tables(connection) == fresh)
                #expect(try Schema.version(of: connection) == Schema.current)
            }
        }
    }

    /// Of the second version, with a row of everything that refers to a snapshot.
    @Test func `keeps every row of a store that was made before key spaces`() throws {
        try withFile { path in
            let connection = try Connection(path)
            try Schema.migrate(connection, steps: Array(Schema.steps[..<2]))
            try connection.execute(
                """
                INSERT INTO layers VALUES (7, zeroblob(32), 1, 2);
                INSERT INTO snapshots VALUES (3, 'c', 3, NULL, 7, 1, 10, 11), (4, 'a', 2, 3, NULL, 0, 12, 13),
                    (5, 'v', 1, 3, NULL, 0, 14, 15), (9, 'gone', 2, NULL, NULL, 0, 0, 0);
                DELETE FROM snapshots WHERE id = 9;
                INSERT INTO snapshot_labels VALUES (4, 'l', '1'), (4, 'm', '');
                INSERT INTO images VALUES (1, zeroblob(32), x'7b7d', NULL, 3, 0);
                INSERT INTO image_layers VALUES (1, 0, 7);
                INSERT INTO tags VALUES ('t', 1);
                INSERT INTO containers VALUES ('id', 'name', 1, 't', 4, 0, x'7b7d');
                INSERT INTO mounts VALUES (6, 5, 1, 's', x'2f', 0);
                INSERT INTO leases VALUES ('lease', 0, NULL);
                INSERT INTO lease_snapshots VALUES ('lease', 'c');
                """
            )
            try Schema.migrate(connection)
            let rows = try connection.rows(
                """
                SELECT fields FROM (
                    SELECT id || space || key || kind || coalesce(parent, '-') || coalesce(layer, '-') || implied
                        || created || updated AS fields FROM snapshots ORDER BY id
                )
                """
            ) { try $0[0] as String }
            #expect(rows == ["3c3-711011", "4a23-01213", "5v13-01415"])
            for table in [
                "images", "image_layers", "tags", "containers", "mounts", "leases", "lease_snapshots",
            ] {
                #expect(try connection.value("SELECT count(*) FROM \(table)") == Int64(1), "\(table)")
            }
            #expect(
                try connection.value("SELECT count(*) FROM snapshot_labels WHERE snapshot = 4") == Int64(2)
            )
            #expect(try connection.rows("PRAGMA foreign_key_check") { try $0[0] as String } == [])
            #expect(try connection.rows("PRAGMA integrity_check") { try $0[0] as String } == ["ok"])
            // What refers to a row keeps it, as before.
            #expect(throws: Failure.self) { try connection.run("DELETE FROM snapshots WHERE id = 3") }
            // A number that was given once is not given again.
            try connection.run("INSERT INTO snapshots (key, kind, created, updated) VALUES ('new', 2, 0, 0)")
            #expect(connection.lastInsertedRow == 10)
        }
    }

    @Test func `a database from a newer program is refused and left as it is`() throws {
        try withFile { path in
            try Schema.migrate(
                Connection(path),
                steps: Schema.steps + ["CREATE TABLE later (id INTEGER) STRICT"]
            )
            let connection = try Connection(path)
            let failure = #expect(throws: Failure.self) { try Schema.migrate(connection) }
            #expect(failure?.message.contains("version \(Schema.steps.count + 1)") == true)
            #expect(try Schema.version(of: connection) == Schema.current + 1)
        }
    }

    @Test func `a step that fails leaves the version before it`() throws {
        try withFile { path in
            let connection = try Connection(path)
            #expect(throws: Failure.self) {
                try Schema.migrate(
                    connection,
                    steps: Schema.steps + ["CREATE TABLE layers (id INTEGER) STRICT"]
                )
            }
            #expect(try Schema.version(of: connection) == 0)
            try Schema.migrate(connection)
            #expect(try Schema.version(of: connection) == Schema.current)
        }
    }

    /// Each of them may find it long, and none of them has begun it.
    @Test func `the log stays short when every program commits once`() throws {
        try withFile { path in
            try Schema.migrate(Connection(path))
            var longest = 0
            for number in 0..<200 {
                let connection = try Connection(path)
                try connection.transaction(writing: true, durable: number % 2 == 0) {
                    try connection.run(
                        "INSERT INTO leases (id, created, expires) VALUES (?, 0, 0)",
                        "\(number)"
                    )
                }
                longest = max(longest, Int(try FilePath("\(path)-wal").status().st_size))
            }
            // 64 pages, those of one commit more, and the migration's.
            #expect(longest < 128 * 4120)
            #expect(try Connection(path).value("SELECT count(*) FROM leases") == Int64(200))
        }
    }

    /// Again and again, because the one moment that matters is short.
    @Test func `whoever opens a new database at once with others finds it whole`() async throws {
        for _ in 0..<20 {
            let directory = FilePath("/var/tmp/mica-schema-\(UUID())")
            try directory.makeDirectory()
            defer { try? directory.removeTree() }
            let path = directory.appending("mica.db")
            try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let connection = try Connection(path)
                        try Schema.migrate(connection)
                        return try Schema.version(of: connection)
                    }
                }
                for try await version in group { #expect(version == Schema.current) }
            }
        }
    }

    @Test func `a transaction that fails leaves nothing`() throws {
        try withFile { path in
            let connection = try Connection(path)
            try Schema.migrate(connection)
            #expect(throws: Errno.self) {
                try connection.transaction(writing: true) {
                    try connection.run("INSERT INTO leases (id, created) VALUES ('a', 1)")
                    throw Errno.ioError
                }
            }
            #expect(try connection.value("SELECT count(*) FROM leases") == Int64(0))
        }
    }

    @Test func `a file that is no database is named`() throws {
        try withFile { path in
            try Data(
                "this is not a database, but long enough to have a header, one would think: it isn't".utf8
            )
            .write(to: URL(fileURLWithPath: path.string))
            let failure = #expect(throws: Failure.self) { try Schema.migrate(Connection(path)) }
            #expect(failure?.message.contains(path.string) == true)
        }
    }
}
