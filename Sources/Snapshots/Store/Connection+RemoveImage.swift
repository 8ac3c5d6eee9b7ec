import Linux
import OCI

extension Connection {
    func removeImage(named name: String, force: Bool) throws -> Removal {
        guard let row = try imageRow(named: name) else { throw try noSuchImage(name) }
        let image = try imageRecord(row)
        let tag = try imageTag(name) ?? ""
        let byTag = image.tags.contains(tag)
        if byTag, image.tags.count > 1 {
            try run("DELETE FROM tags WHERE name = ?", tag)
            return Removal(of: image.id, untagged: [tag])
        }
        if !byTag, image.tags.count > 1, !force {
            throw Failure(
                "image \(name) has several names: \(image.tags.joined(separator: ", "))",
                advice: "Remove them one by one, or all with --force.",
                kind: .failedPrecondition
            )
        }
        let users = try rows("SELECT id, name FROM containers WHERE image = ? ORDER BY name", row) {
            "\(try $0[1] as String) (\((try $0[0] as String).prefix(12)))"
        }
        if !users.isEmpty {
            // Forced: the name goes, the image stays for as long as the container does.
            guard force, byTag else {
                throw Failure(
                    "image \(name) is used by container \(users.joined(separator: ", "))",
                    advice: "Remove the container first: mica rm.",
                    kind: .failedPrecondition
                )
            }
            try run("DELETE FROM tags WHERE name = ?", tag)
            return Removal(of: image.id, untagged: [tag])
        }
        try run("DELETE FROM images WHERE id = ?", row)
        try removeUnusedDocuments()
        return Removal(of: image.id, untagged: image.tags, deleted: [image.id])
    }
}
