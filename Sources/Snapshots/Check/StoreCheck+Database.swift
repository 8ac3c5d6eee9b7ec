import Layers
import Linux
import OCI
import SystemPackage

import Glibc

extension StoreCheck {
    /// The database, once it can be worked with; nil where it can't, and nothing more can be said.
    mutating func database() throws -> Connection? {
        let noted = StoreGeneration.noted(in: layout)
        if !StoreDisagreement.isPresent(layout) {
            guard let contents = StoreDisagreement.contents(of: layout) else { return try begin() }
            let state = layout.database.exists ? "is empty" : "is missing"
            return try replace("\(state), but the store holds \(contents)", noted: noted)
        }
        let connection: Connection
        do {
            connection = try Connection(layout.database)
            if let problem = try integrity(of: connection) {
                return try replace(problem, noted: noted)
            }
            guard try Schema.version(of: connection) > 0 || StoreDisagreement.contents(of: layout) == nil
            else {
                return try replace("has no tables: its log is lost", noted: noted)
            }
        } catch let failure as Failure where failure.kind != .noSpace {
            return try replace(failure.message, noted: noted)
        }
        // One of a newer program's is no damage: that is said, and nothing done.
        try Schema.migrate(connection)
        try generation(connection, noted: noted)
        return connection
    }

    private func begin() throws -> Connection? {
        guard repairs else { return nil }
        try layout.prepare()
        let connection = try Connection(layout.database)
        try Schema.migrate(connection)
        return connection
    }

    /// What SQLite finds wrong, in its words; an index that does not fit its table is made again.
    private mutating func integrity(of connection: Connection) throws -> String? {
        let pragma = isDeep ? "PRAGMA integrity_check(10)" : "PRAGMA quick_check(10)"
        func problems() throws -> [String] {
            let found = try connection.rows(pragma) { try $0[0] as String }
            return found == ["ok"] ? [] : found
        }
        var found = try problems()
        if found.isEmpty {
            let references = try connection.rows("PRAGMA foreign_key_check") { try $0[0] as String }
            for table in Set(references).sorted() {
                findings.append(
                    Finding(
                        kind: .database,
                        name: layout.database.string,
                        problem: "rows of \(table) refer to others that are not there",
                        advice: "Restore it from a backup."
                    )
                )
            }
            return nil
        }
        let text = found.joined(separator: "; ")
        if repairs {
            try connection.execute("REINDEX")
            found = try problems()
            if found.isEmpty {
                findings.append(
                    Finding(
                        kind: .database,
                        name: layout.database.string,
                        problem: text,
                        outcome: .repaired
                    )
                )
                return nil
            }
        }
        return text
    }

    /// Puts a new database in place of one that can't be used.
    private mutating func replace(_ problem: String, noted: Int64?) throws -> Connection? {
        var finding = Finding(kind: .database, name: layout.database.string, problem: problem)
        guard repairs else {
            finding.advice = StoreDisagreement.advice
            findings.append(finding)
            return nil
        }
        let lost = LostDirectory(layout)
        for suffix in ["", "-wal", "-shm"] {
            let path = FilePath("\(layout.database.string)\(suffix)")
            if path.exists { try lost.take(path, as: "database", "mica.db\(suffix)") }
        }
        try layout.prepare()
        let connection = try Connection(layout.database)
        try Schema.migrate(connection)
        finding.outcome = .repaired
        finding.problem += "; a new one knows of no image"
        findings.append(finding)
        try agree(connection, noted: noted)
        return connection
    }

    private mutating func generation(_ connection: Connection, noted: Int64?) throws {
        let current = try StoreGeneration.current(connection)
        guard let noted, noted > current else { return }
        var finding = Finding(
            kind: .database,
            name: layout.database.string,
            problem:
                "is at change \(current), but there were \(noted): some were lost with its log, or an older copy "
                + "was put in its place"
        )
        guard repairs else {
            finding.advice = StoreDisagreement.advice
            findings.append(finding)
            return
        }
        finding.outcome = .repaired
        findings.append(finding)
        try agree(connection, noted: noted)
    }

    /// Sets apart what no row stands for, since its row may be one of those that are lost, and lets the database be
    /// the latest.
    private mutating func agree(_ connection: Connection, noted: Int64?) throws {
        let layers = Set(try connection.rows("SELECT diffid FROM layers") { (try $0[0] as Digest).hex })
        let snapshots = Set(
            try connection.rows("SELECT id FROM snapshots WHERE kind = 2") { "\(try $0[0] as Int64)" }
        )
        let containers = Set(try connection.rows("SELECT id FROM containers") { try $0[0] as String })
        setApartObjects(keptFor: layers)
        setApart(layout.layers, .layer, "layers", but: layers)
        setApart(layout.snapshots, .snapshot, "snapshots", but: snapshots)
        setApart(layout.containers, .container, "containers", but: containers)
        try reserveNumbers(connection)
        let generation = try connection.transaction(writing: true) {
            try connection.run(
                "UPDATE store SET generation = max(generation, ?) + 1",
                noted ?? 0
            )
            return try StoreGeneration.current(connection)
        }
        StoreGeneration.note(generation, in: layout)
    }

    private mutating func setApart(
        _ directory: FilePath,
        _ kind: Finding.Kind,
        _ what: String,
        but known: Set<String>
    ) {
        let names = ((try? directory.names()) ?? []).map { String(decoding: $0, as: UTF8.self) }.sorted()
        for name in names where !known.contains(name) {
            let path = directory.appending(name)
            var finding = Finding(kind: kind, name: name, problem: "no row stands for it any more")
            let isBusy =
                kind == .snapshot && SnapshotDirectory.isInUse(path)
                || !MountTable.current().targets(below: path).isEmpty
            if isBusy {
                finding.problem += "; it is mounted"
                finding.advice = "Unmount it and check again."
                findings.append(finding)
            } else {
                setApart(path, as: what, name, finding)
            }
        }
    }

    /// Those that only layers need which are set apart.
    private mutating func setApartObjects(keptFor layers: Set<String>) {
        let chains = ChainStore(layout: layout)
        var kept: Set<Digest> = []
        for layer in layers.compactMap({ Digest(hex: $0) }) {
            // One that can't be read keeps them all.
            guard layout.layer(layer).exists else { continue }
            guard let index = try? chains.layer(layer) else { return }
            for number in 0..<index.objectCount {
                if let object = try? index.object(number) { kept.insert(object.digest) }
            }
        }
        for shard in (try? layout.objects.names()) ?? [] {
            let shard = String(decoding: shard, as: UTF8.self)
            for name in (try? layout.objects.appending(shard).names()) ?? [] {
                let hex = shard + String(decoding: name, as: UTF8.self)
                guard let digest = Digest(hex: hex), !kept.contains(digest) else { continue }
                _ = try? LostDirectory(layout).take(layout.object(digest), as: "objects", hex, durably: false)
            }
        }
        try? layout.root.synchronizeFilesystem()
    }

    /// Numbers of snapshots are names of directories, and those that were given once are not given again.
    private func reserveNumbers(_ connection: Connection) throws {
        let names =
            ((try? layout.snapshots.names()) ?? [])
            + ((try? layout.lost.appending("snapshots").names()) ?? [])
        let highest =
            names.compactMap { name in
                Int64(String(decoding: name, as: UTF8.self).prefix { $0 != "." })
            }.max() ?? 0
        try connection.transaction(writing: true) {
            try connection.run("DELETE FROM sqlite_sequence WHERE name = 'snapshots' AND seq < ?", highest)
            let known: Int64? = try connection.value(
                "SELECT seq FROM sqlite_sequence WHERE name = 'snapshots'"
            )
            guard known == nil, highest > 0 else { return }
            try connection.run("INSERT INTO sqlite_sequence (name, seq) VALUES ('snapshots', ?)", highest)
        }
    }
}
