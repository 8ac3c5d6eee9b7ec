import Changes
import FoundationEssentials
import Layers
import Linux
import OCI
import SystemPackage

import Glibc

extension StoreCheck {
    mutating func images(_ connection: Connection) throws {
        for row in try connection.rows("SELECT id FROM images ORDER BY id", read: { try $0[0] as Int64 }) {
            let image = try connection.imageRecord(row)
            var finding = Finding(kind: .image, name: "\(image.id)", problem: "", images: image.tags)
            finding.advice = "Remove it and load it again: mica rmi -f \(image.id.hex.prefix(12))"
            if SHA256.digest(of: image.config) != image.id {
                finding.problem = "its config is not the one that its ID is the digest of"
            } else if let config = try? ImageConfig(json: image.config, name: "config"),
                config.diffIDs != image.layers
            {
                finding.problem = "its config names other layers than the database"
            } else {
                continue
            }
            findings.append(finding)
        }
    }

    /// Manifests and indexes: what is not what its digest says would be refused wherever it is pushed to.
    mutating func documents(_ connection: Connection) throws {
        let damaged = try connection.rows("SELECT id, digest, bytes FROM documents ORDER BY id") {
            (row: try $0[0] as Int64, digest: try $0[1] as Digest, bytes: try $0[2] as [UInt8])
        }
        .filter { SHA256.digest(of: $0.bytes) != $0.digest }
        for (row, digest, _) in damaged {
            let images = try connection.rows("SELECT image FROM image_documents WHERE document = ?", row) {
                try $0[0] as Int64
            }
            .flatMap { row in
                let image = try connection.imageRecord(row)
                return image.tags.isEmpty ? ["\(image.id)"] : image.tags
            }
            findings.append(
                Finding(
                    kind: .image,
                    name: "\(digest)",
                    problem: "the manifest or index is not the one that its digest is of",
                    images: Set(images).sorted(),
                    advice: "Load or pull the image again: mica pull"
                )
            )
        }
    }

    mutating func layers(_ connection: Connection, _ users: StoreUsers) throws {
        let layers = try connection.rows("SELECT diffid FROM layers ORDER BY id") { try $0[0] as Digest }
        let check = LayerCheck(layout: layout)
        let again = "Load an image that has it again: mica load"
        var objects: [Digest: (problem: String, layers: [Digest])] = [:]
        for layer in layers {
            var own: [String] = []
            for damage in check.damage(of: layer, isDeep: isDeep, known: &wholeObjects) {
                switch damage.part {
                case .layer: own.append(damage.problem)
                case .object(let digest):
                    objects[digest, default: (damage.problem, [])].layers.append(layer)
                }
            }
            guard !own.isEmpty else { continue }
            var finding = Finding(
                kind: .layer,
                name: "\(layer)",
                problem: own.joined(separator: "; "),
                advice: again
            )
            users.note([layer], in: &finding)
            setApart(layout.layer(layer), as: "layers", layer.hex, finding)
        }
        for (digest, damage) in objects.sorted(by: { $0.key < $1.key }) {
            var finding = Finding(kind: .object, name: "\(digest)", problem: damage.problem, advice: again)
            users.note(damage.layers, in: &finding)
            setApart(layout.object(digest), as: "objects", digest.hex, finding)
        }
    }

    mutating func snapshots(_ connection: Connection) throws {
        let active = try connection.rows("SELECT id FROM snapshots WHERE kind = 2 ORDER BY id") {
            try $0[0] as Int64
        }
        for row in active {
            let snapshot = try connection.snapshotRecord(row)
            let name: String? = try connection.value("SELECT name FROM containers WHERE snapshot = ?", row)
            var finding = Finding(
                kind: .snapshot,
                name: snapshot.space.label(snapshot.key),
                problem: "",
                containers: name.map { [$0] } ?? [],
                snapshots: name == nil ? [snapshot.space.label(snapshot.key)] : []
            )
            let directory = layout.snapshot(row)
            guard directory.appending("upper").exists else {
                finding.problem = "what was written to it is gone: \(directory.appending("upper")) is missing"
                let remove =
                    snapshot.space == .own
                    ? "mica snapshot rm \(snapshot.key)"
                    : "by \(snapshot.space.rawValue), whose it is (ctr snapshots rm)"
                finding.advice = name.map { "Remove its container: mica rm \($0)" } ?? "Remove it: \(remove)"
                findings.append(finding)
                continue
            }
            let work = directory.appending("work")
            if !work.exists {
                finding.problem = "\(work) is missing"
                if repairs, (try? work.makeDirectory(mode: 0o700)) != nil { finding.outcome = .repaired }
                findings.append(finding)
            }
            if isDeep { upper(of: snapshot, finding) }
        }
    }

    private mutating func upper(of snapshot: SnapshotRecord, _ template: Finding) {
        var finding = template
        finding.outcome = .left
        finding.advice = "Save what is readable, and begin with a new one."
        // A damaged layer is found as such.
        guard let chain = try? chainStore.index(for: snapshot.layers) else { return }
        do {
            let upper = layout.snapshot(snapshot.id).appending("upper")
            for problem in try UpperCheck(upper, over: chain, layout).problems() {
                finding.problem = problem
                findings.append(finding)
            }
        } catch {
            finding.problem = "its upper can't be read: \(error)"
            findings.append(finding)
        }
    }

    mutating func containers(_ connection: Connection) throws {
        let rows = try connection.rows("SELECT id, name, config FROM containers ORDER BY name") {
            (id: try $0[0] as String, name: try $0[1] as String, config: try $0[2] as [UInt8])
        }
        for (id, name, config) in rows {
            var finding = Finding(kind: .container, name: name, problem: "", containers: [name])
            finding.advice = "Save what it wrote (mica commit), and remove it: mica rm \(name)"
            let state = layout.container(id).appending("state")
            if (try? JSONDecoder().decode(JSONValue.self, from: Data(config))) == nil {
                finding.problem = "what it was to run can't be read"
            } else if !layout.container(id).exists {
                finding.problem = "\(layout.container(id)) is missing"
            } else if state.exists, !isJSON(state) {
                finding.problem = "what it has come to is not known: \(state) can't be read"
            } else {
                continue
            }
            findings.append(finding)
        }
    }

    private func isJSON(_ path: FilePath) -> Bool {
        guard let bytes = try? OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20) else { return false }
        return (try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))) != nil
    }

    /// A cache: what is damaged is folded again, here or at the next mount.
    mutating func chains(_ connection: Connection) throws {
        let chains = chainStore
        for stack in Set(try connection.stacks()) {
            let path = chains.path(for: stack)
            guard path.exists else { continue }
            if let index = try? LayerIndex(path, verifying: true), index.kind == .chain, index.layers == stack
            {
                continue
            }
            var finding = Finding(kind: .chain, name: path.string, problem: "is damaged")
            if repairs, (try? path.unlink()) != nil {
                finding.outcome = .repaired
                // Not of layers that are gone themselves.
                _ = try? chains.index(for: stack)
            }
            findings.append(finding)
        }
    }
}
