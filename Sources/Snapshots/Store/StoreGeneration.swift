import Layers
import Linux
import SystemPackage

import Glibc

/// Tells a database that has lost changes (its log was deleted, or an older copy was put in its place) from one that
/// has not: every durable change counts one on in the database's table `store`, and the file `generation` beside the
/// database says how far that was. So do the directories that hold what the rows stand for, in an attribute, because who
/// puts an older database in place may do so with the file. All are written after the change is on disk and not waited
/// for, so they may be behind the database, and are never ahead of it.
///
/// ```
/// generation                               24 bytes: "micagen\n" · generation u64 · its complement u64, little-endian
/// layers, snapshots: user.mica.generation  the same
/// ```
enum StoreGeneration {
    private static let magic = Array("micagen\n".utf8)
    private static let size = 24
    private static let attribute: XattrName = "user.mica.generation"

    /// The highest that is said; nil where nothing is, or it can't be made out.
    static func noted(in layout: StoreLayout) -> Int64? {
        let attributes = directories(layout).compactMap { try? Xattr.get(attribute, at: $0) }
        return ([inFile(of: layout)] + attributes.map { generation($0) }).compactMap(\.self).max()
    }

    /// What the file says.
    static func inFile(of layout: StoreLayout) -> Int64? {
        var bytes = [UInt8](repeating: 0, count: size)
        let count = bytes.withUnsafeMutableBytes { buffer in
            (try? OwnedFD.open(layout.generation, O_RDONLY).readFully(into: buffer)) ?? 0
        }
        return count == size ? generation(bytes) : nil
    }

    private static func directories(_ layout: StoreLayout) -> [FilePath] {
        [layout.layers, layout.snapshots]
    }

    private static func generation(_ bytes: [UInt8]) -> Int64? {
        guard bytes.count == size, Array(bytes[..<8]) == magic else { return nil }
        let (number, complement) = bytes.withUnsafeBytes {
            (
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            )
        }
        guard number == ~complement else { return nil }
        return Int64(exactly: number)
    }

    /// In place, so that it needs no room. Best effort: what it fails to say is only missing as evidence.
    static func note(_ generation: Int64, in layout: StoreLayout) {
        var bytes = magic
        for word in [UInt64(bitPattern: generation), ~UInt64(bitPattern: generation)] {
            withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
        }
        for directory in directories(layout) { try? Xattr.set(attribute, bytes, at: directory) }
        guard let file = try? OwnedFD.open(layout.generation, O_WRONLY | O_CREAT, mode: 0o600) else { return }
        try? bytes.withUnsafeBytes { try file.writeAll($0, at: 0) }
    }

    static func current(_ connection: Connection) throws -> Int64 {
        guard let generation: Int64 = try connection.value("SELECT generation FROM store") else {
            throw Failure("mica.db has no generation", advice: StoreDisagreement.advice)
        }
        return generation
    }

    static func advance(_ connection: Connection) throws -> Int64 {
        try connection.run("UPDATE store SET generation = generation + 1")
        return try current(connection)
    }
}

/// The store's directories and its database don't belong together: nothing is done with either.
enum StoreDisagreement {
    static let advice = """
        Put mica.db back from a backup, together with mica.db-wal if that was saved. Or let mica fsck --repair make \
        the database agree: images are to be loaded again then, and what no row stands for any more is set apart in \
        the store's directory lost, not deleted.
        """

    /// Refuses a store without a database, or with an empty one, that holds something.
    static func refuseWithoutDatabase(_ layout: StoreLayout, unless isMade: () throws -> Bool) throws {
        guard let contents = contents(of: layout) else { return }
        // Another process may have made it, and what it knows of, meanwhile.
        if try isMade() { return }
        let what = layout.database.exists ? "is empty" : "is missing"
        throw Failure(
            "the store's database \(layout.database) \(what), but the store holds \(contents)",
            advice: advice,
            kind: .failedPrecondition
        )
    }

    static func isPresent(_ layout: StoreLayout) -> Bool {
        ((try? layout.database.status().st_size) ?? 0) > 0
    }

    /// What there is that a database should know of, in words; nil where there is nothing.
    static func contents(of layout: StoreLayout) -> String? {
        let counts = [
            ("layers", layout.layers), ("snapshots", layout.snapshots), ("containers", layout.containers),
        ]
        .map { name, directory in (name, (try? directory.names().count) ?? 0) }
        .filter { $0.1 > 0 }.map { "\($0.1) \($0.0)" }
        if !counts.isEmpty { return counts.joined(separator: ", ") }
        if let noted = StoreGeneration.inFile(of: layout), noted > 0 {
            return "the records of \(noted) changes"
        }
        return nil
    }

    /// Refuses a database that has lost changes. `noted` was read before the database was.
    static func refuse(_ connection: Connection, noted: Int64?, _ layout: StoreLayout) throws {
        let generation = try StoreGeneration.current(connection)
        guard let noted, noted > generation else { return }
        throw Failure(
            "the store's database \(layout.database) is at change \(generation), but there were \(noted): its log "
                + "mica.db-wal is lost, or an older copy was put in its place",
            advice: advice,
            kind: .failedPrecondition
        )
    }
}
