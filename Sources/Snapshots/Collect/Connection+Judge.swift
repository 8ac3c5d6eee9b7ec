import Linux
import OCI

extension Connection {
    func mountTargets() throws -> [(id: Int64, target: String)] {
        try rows("SELECT id, target FROM mounts ORDER BY id") {
            (id: try $0[0], target: String(decoding: try $0[1] as [UInt8], as: UTF8.self))
        }
    }

    func judgeImages(_ plan: inout CollectionPlan) throws {
        for row in try rows("SELECT id FROM images ORDER BY id", read: { try $0[0] as Int64 }) {
            let image = try imageRecord(row)
            let reason: String
            if !image.tags.isEmpty {
                reason = "named \(image.tags.joined(separator: ", "))"
            } else if let name: String = try value("SELECT name FROM containers WHERE image = ? LIMIT 1", row)
            {
                reason = "container \(name)"
            } else {
                reason = "untagged, kept until it is removed: mica rmi \(image.id.hex.prefix(12))"
            }
            plan.lives(.image, "\(image.id)", reason)
        }
    }

    /// Removes the snapshots that were made for images, from the top down, until each that is left is needed.
    func judgeSnapshots(_ plan: inout CollectionPlan) throws {
        var isDone = false
        while !isDone {
            isDone = true
            let candidates = try rows("SELECT id, key FROM snapshots WHERE implied ORDER BY id DESC") {
                (row: try $0[0] as Int64, key: try $0[1] as String)
            }
            for (row, key) in candidates where try user(of: row) == nil && lease(on: key) == nil {
                try run("DELETE FROM snapshots WHERE id = ?", row)
                plan.goes(.snapshot, key, "made for an image, and nothing refers to it")
                isDone = false
            }
        }
        let left = try rows("SELECT id, space, key, kind FROM snapshots ORDER BY id") {
            (
                row: try $0[0] as Int64, space: KeySpace(rawValue: try $0[1]), key: try $0[2] as String,
                kind: try $0[3] as SnapshotRecord.Kind
            )
        }
        for (row, space, key, kind) in left {
            var reason = try user(of: row)
            if space == .own {
                reason =
                    try reason ?? lease(on: key).map { "lease \($0)" }
                    ?? "\(kind.name), kept until it is removed: mica snapshot rm \(key)"
            }
            plan.lives(
                .snapshot,
                space.label(key),
                reason ?? "\(kind.name), kept until \(space.rawValue) removes it"
            )
            if kind == .active { plan.snapshots.insert("\(row)") }
        }
    }

    func judgeLayers(_ plan: inout CollectionPlan) throws {
        let layers = try rows("SELECT id, diffid FROM layers ORDER BY id") {
            (row: try $0[0] as Int64, diffID: try $0[1] as Digest)
        }
        for (row, diffID) in layers {
            let snapshot = try first(
                "SELECT space, key FROM snapshots WHERE layer = ? ORDER BY id LIMIT 1",
                row
            ) { KeySpace(rawValue: try $0[0]).label(try $0[1]) }
            if let snapshot {
                plan.lives(.layer, "\(diffID)", "snapshot \(snapshot)")
                plan.layers.insert(diffID)
            } else if let image: Digest = try value(
                "SELECT digest FROM image_layers JOIN images ON images.id = image WHERE layer = ? LIMIT 1",
                row
            ) {
                plan.lives(.layer, "\(diffID)", "image \(image)")
                plan.layers.insert(diffID)
            } else if let lease = try lease(onLayer: row) {
                plan.lives(.layer, "\(diffID)", "lease \(lease)")
                plan.layers.insert(diffID)
            } else {
                try run("DELETE FROM layers WHERE id = ?", row)
                plan.goes(.layer, "\(diffID)", "no image, no snapshot and no lease has it")
            }
        }
    }

    /// The stacks that can be mounted: every snapshot's, and every image's.
    func stacks() throws -> [[Digest]] {
        let snapshots = try rows("SELECT id FROM snapshots") { try $0[0] as Int64 }.map { try layers(of: $0) }
        let images = try rows("SELECT id FROM images") { try $0[0] as Int64 }.map {
            try imageRecord($0).layers
        }
        return snapshots + images
    }

    private func lease(on key: String) throws -> String? {
        try value("SELECT lease FROM lease_snapshots WHERE key = ? LIMIT 1", key)
    }
}
