package import OCI

import Linux
import Layers
import SystemPackage

/// What the steps of builds made, kept for later builds (docs/adr/0041-steps-of-builds.md): each is a lease on the
/// layer, and on the committed snapshot of the stack that has it on top.
extension Store {
    /// Nanoseconds for which a step that no build uses is kept: two weeks.
    package static let stepLifetime: Int64 = 14 * 24 * 3600 * 1_000_000_000
    /// Bytes of contents that only kept steps have; beyond that those go that have not been used for the longest time.
    package static let stepLimit: UInt64 = 20 << 30

    /// The layer that the step `key` made, if it is kept, with the committed snapshot of it on `layers` (bottom to top,
    /// of the store), and when it was made, in Unix nanoseconds. It is kept for longer now.
    package func step(_ key: Digest, over layers: [Digest]) throws -> (layer: Digest, created: Int64)? {
        let found = try read { connection -> (step: KeptStep, isThere: Bool)? in
            guard let step = try connection.step(key) else { return nil }
            return (step, try connection.snapshotRow(ChainID.name(of: layers + [step.layer])) != nil)
        }
        guard let (step, isThere) = found, layout.layer(step.layer).exists else { return nil }
        // Every build would write, otherwise, and an hour is nothing in two weeks.
        guard !isThere || (step.expires ?? 0) < now() + Store.stepLifetime - 3600 * 1_000_000_000 else {
            return (step.layer, step.created)
        }
        // Lost with the machine, it is only kept for less long. Between the two it may have been collected.
        let isKept = try write(durably: !isThere) { connection in
            guard try connection.step(key) == step else { return false }
            try connection.keep(step.lease, step.layer, over: layers, since: step.created)
            return true
        }
        return isKept ? (step.layer, step.created) : nil
    }

    /// Records what the step `key` made: a layer that is published, on `layers` of the store, and keeps it. The caller
    /// holds the store's lock. `text`: what the step does, for `gc --explain`. `created`: Unix nanoseconds, when this was.
    package func record(
        step key: Digest,
        _ text: String,
        of layer: NewLayer,
        over layers: [Digest],
        created: Int64
    ) throws {
        try write { connection in
            _ = try connection.add(layer)
            try connection.keep(KeptStep.lease(key, text), layer.diffID, over: layers, since: created)
        }
    }

    /// Makes a layer of what was written to the active snapshot `snapshot`, which goes, and records it as `record` does.
    /// `latest`: as for `TarWriter`. failedPrecondition where the snapshot is mounted.
    package func record(
        step key: Digest,
        _ text: String,
        ofSnapshot snapshot: String,
        notAfter latest: Int64?,
        created: Int64,
        warn: @escaping @Sendable (String) -> Void
    ) throws -> NewLayer {
        let lock = try lockForChange()
        let found = try read {
            try $0.idle(snapshot, in: .own, tobe: "committed", isLive: self.isLive)
        }
        let work = try lockMount(of: found.row, snapshot)
        let upper = layout.snapshot(found.row).appending("upper")
        let layer = try layer(
            of: Subject(name: snapshot, layers: found.below, upper: upper, image: nil),
            notAfter: latest,
            warn: warn
        )
        try write { connection in
            _ = try connection.add(layer)
            try connection.keep(KeptStep.lease(key, text), layer.diffID, over: found.below, since: created)
            try connection.run("DELETE FROM snapshots WHERE id = ?", found.row)
        }
        try removeDirectory(of: found.row)
        work.stay()
        _ = consume lock
        return layer
    }

    /// mica's own active snapshots that have a label of this name.
    package func activeSnapshots(labelled name: String) throws -> [SnapshotRecord] {
        try read { connection in
            try connection.rows(
                """
                SELECT snapshots.id FROM snapshot_labels JOIN snapshots ON snapshot = snapshots.id
                WHERE name = ? AND kind = 2 AND space = ? ORDER BY snapshots.id
                """,
                name,
                KeySpace.own.rawValue
            ) { try $0[0] as Int64 }.map { try connection.snapshotRecord($0) }
        }
    }
}

extension Connection {
    func keep(_ lease: String, _ layer: Digest, over layers: [Digest], since created: Int64) throws {
        let stack = layers + [layer]
        let rows = try stack.map { diffID in
            guard let row = try self.layer(diffID) else { throw Failure.noSuchLayer(diffID) }
            return row
        }
        _ = try addChain(stack, layers: rows)
        try run(
            """
            INSERT INTO leases (id, created, expires) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET created = excluded.created, expires = excluded.expires
            """,
            lease,
            created,
            now() + Store.stepLifetime
        )
        try run("DELETE FROM lease_layers WHERE lease = ?", lease)
        try run(
            "INSERT INTO lease_layers (lease, layer) SELECT ?, id FROM layers WHERE diffid = ?",
            lease,
            layer
        )
        try run(
            "INSERT OR IGNORE INTO lease_snapshots (lease, key) VALUES (?, ?)",
            lease,
            ChainID.name(of: stack)
        )
    }
}

extension ChainID {
    /// The key of the committed snapshot that has these layers; empty where there are none.
    static func name(of layers: [Digest]) -> String { all(of: layers).last.map { "\($0)" } ?? "" }
}
