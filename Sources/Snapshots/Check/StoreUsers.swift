import Layers
import Linux
import OCI

/// Which images, containers and snapshots need a layer.
struct StoreUsers {
    private var images: [Digest: Set<String>] = [:]
    private var containers: [Digest: Set<String>] = [:]
    private var snapshots: [Digest: Set<String>] = [:]

    init(_ connection: Connection) throws {
        for row in try connection.rows("SELECT id FROM images", read: { try $0[0] as Int64 }) {
            let image = try connection.imageRecord(row)
            let names = image.tags.isEmpty ? ["\(image.id)"] : image.tags
            for layer in image.layers { images[layer, default: []].formUnion(names) }
        }
        let rows = try connection.rows("SELECT id, space, key, implied FROM snapshots") {
            (
                row: try $0[0] as Int64, key: KeySpace(rawValue: try $0[1]).label(try $0[2]),
                isImplied: try $0[3] as Bool
            )
        }
        for (row, key, isImplied) in rows {
            let name: String? = try connection.value("SELECT name FROM containers WHERE snapshot = ?", row)
            for layer in try connection.layers(of: row) {
                if let name {
                    containers[layer, default: []].insert(name)
                } else if !isImplied {
                    snapshots[layer, default: []].insert(key)
                }
            }
        }
    }

    /// Adds to `finding` who needs one of `layers`.
    func note(_ layers: some Sequence<Digest>, in finding: inout Finding) {
        var found: (images: Set<String>, containers: Set<String>, snapshots: Set<String>) = ([], [], [])
        for layer in layers {
            found.images.formUnion(images[layer] ?? [])
            found.containers.formUnion(containers[layer] ?? [])
            found.snapshots.formUnion(snapshots[layer] ?? [])
        }
        finding.images = found.images.sorted()
        finding.containers = found.containers.sorted()
        finding.snapshots = found.snapshots.sorted()
    }
}
