import Linux
import OCI

/// An active snapshot that may be changed or committed.
struct Committable: Equatable {
    let row: Int64
    /// The row of the parent that it has, or will have.
    let parent: Int64?
    /// diffIDs of the parent's stack, bottom to top.
    let below: [Digest]
    /// What was applied to it.
    let layer: Digest?
}

extension Connection {
    func newLayer(_ diffID: Digest) throws -> NewLayer {
        let layer = try first("SELECT tar_size, content_size FROM layers WHERE diffid = ?", diffID) {
            NewLayer(diffID: diffID, tarSize: try $0[0], contentSize: try $0[1])
        }
        guard let layer else { throw Failure.noSuchLayer(diffID) }
        return layer
    }

    /// An active snapshot that is not in use. notFound; failedPrecondition otherwise, which says why. `what` is to
    /// be done with it: "committed".
    func idle(
        _ key: String,
        in space: KeySpace,
        tobe what: String,
        isLive: (Int64) -> Bool
    ) throws -> Committable {
        guard let row = try snapshotRow(key, in: space) else { throw Failure.noSuchSnapshot(key) }
        let record = try snapshotRecord(row)
        guard record.kind == .active else {
            throw Failure(
                "snapshot \(key) can't be \(what): it is not active but \(record.kind.name)",
                kind: .failedPrecondition
            )
        }
        if let container: String = try value("SELECT name FROM containers WHERE snapshot = ?", row) {
            throw Failure(
                "snapshot \(key) is used by container \(container)",
                advice: "Make an image of it: mica commit \(container) NAME",
                kind: .failedPrecondition
            )
        }
        if try mounts(of: row).contains(where: isLive) {
            throw Failure(
                "snapshot \(key) is mounted",
                advice: "Unmount it first.",
                kind: .failedPrecondition
            )
        }
        return Committable(
            row: row,
            parent: try first("SELECT parent FROM snapshots WHERE id = ?", row) { try $0[0] as Int64? }
                ?? nil,
            below: record.layer == nil ? record.layers : Array(record.layers.dropLast()),
            layer: record.layer
        )
    }

    /// The same, where it may be committed as `name`, with the parent that it will have then.
    func committable(
        _ key: String,
        as name: String,
        parent: String?,
        in space: KeySpace,
        isLive: (Int64) -> Bool
    ) throws -> Committable {
        let found = try idle(key, in: space, tobe: "committed", isLive: isLive)
        guard let above = try self.parent(parent, of: name, in: space) else { return found }
        guard found.parent == nil || found.parent == above else {
            throw Failure("snapshot \(key) has another parent already", kind: .invalidArgument)
        }
        return Committable(row: found.row, parent: above, below: try layers(of: above), layer: found.layer)
    }

    /// The row stays, with another key: what referred to it refers to the committed one.
    func commit(_ row: Int64, as name: String, parent: Int64?, layer: Int64, labels: [String: String]) throws
    {
        // Only stale ones are left.
        for mount in try mounts(of: row) { try run("DELETE FROM mounts WHERE id = ?", mount) }
        let time = now()
        try run(
            "UPDATE snapshots SET key = ?, kind = 3, parent = ?, layer = ?, created = ?, updated = ? WHERE id = ?",
            name,
            parent,
            layer,
            time,
            time,
            row
        )
        try setLabels(labels, of: row)
    }

    /// What an active snapshot shows is that layer from now on, over its parent's.
    func apply(_ layer: Int64, to row: Int64) throws {
        for mount in try mounts(of: row) { try run("DELETE FROM mounts WHERE id = ?", mount) }
        try run("UPDATE snapshots SET layer = ?, updated = ? WHERE id = ?", layer, now(), row)
    }
}
