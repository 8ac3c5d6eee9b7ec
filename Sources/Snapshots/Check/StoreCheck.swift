package import Layers
import Linux
import OCI
import SystemPackage

import Glibc

/// Looks at everything a store holds, and mends what can be mended without a person's help.
///
/// Nothing is ever deleted but chain indexes, which are a cache: what is damaged, or has no owner though nothing
/// says that it was removed, is renamed into the store's directory `lost`.
package struct StoreCheck {
    let layout: StoreLayout
    /// All data is read and compared with its digests.
    let isDeep: Bool
    let repairs: Bool
    var findings: [Finding] = []
    /// Objects that were found whole.
    var wholeObjects: Set<Digest> = []

    /// Checks the store. With `repairs` it waits until no process is working in it, else while gc sweeps. Failure where
    /// there is no store, or the database is of a newer program's.
    package static func run(_ layout: StoreLayout, isDeep: Bool, repairs: Bool) throws -> [Finding] {
        guard layout.root.exists else {
            throw Failure("there is no store at \(layout.root)", kind: .notFound)
        }
        // The lock is a file, too.
        guard repairs || layout.lock.exists else {
            return try check(layout, isDeep: isDeep, repairs: repairs)
        }
        let lock = try naming("lock \(layout.lock)") {
            try FileLock(layout.lock, repairs ? .exclusive : .shared)
        }
        let findings = try check(layout, isDeep: isDeep, repairs: repairs)
        _ = consume lock
        return findings
    }

    private static func check(_ layout: StoreLayout, isDeep: Bool, repairs: Bool) throws -> [Finding] {
        var check = StoreCheck(layout: layout, isDeep: isDeep, repairs: repairs)
        check.directories()
        // Who looks at a database first makes the file of its locks.
        let reserve = StoreReserve(layout)
        let isLent = reserve.releaseForMapping()
        defer { if isLent { reserve.fill() } }
        let connection = try reserve.lendingToDatabase { try check.database() }
        guard let connection else { return check.findings }
        let users = try StoreUsers(connection)
        try check.images(connection)
        try check.documents(connection)
        try check.layers(connection, users)
        try check.snapshots(connection)
        try check.containers(connection)
        try check.chains(connection)
        return check.findings
    }

    private init(layout: StoreLayout, isDeep: Bool, repairs: Bool) {
        self.layout = layout
        self.isDeep = isDeep
        self.repairs = repairs
    }

    /// Who repairs has the store's lock for itself.
    var chainStore: ChainStore { ChainStore(layout: layout, isLocked: repairs) }

    /// Those of the store itself.
    private mutating func directories() {
        let names = [
            layout.tmp, layout.layers, layout.objects, layout.chains, layout.snapshots, layout.containers,
            layout.mounts,
        ]
        for directory in names where !directory.exists {
            var finding = Finding(kind: .directory, name: directory.string, problem: "is missing")
            if repairs, (try? directory.makeDirectories(mode: 0o700)) != nil { finding.outcome = .repaired }
            findings.append(finding)
        }
    }

    /// Takes a file or a directory out of the way, where that is wanted, and notes it.
    mutating func setApart(_ path: FilePath, as what: String, _ name: String, _ finding: Finding) {
        var finding = finding
        if repairs, path.exists {
            do {
                finding.problem += "; it is in \(try LostDirectory(layout).take(path, as: what, name)) now"
                finding.outcome = .setApart
            } catch {
                finding.problem += "; it can't be set apart: \(error)"
            }
        }
        findings.append(finding)
    }
}
