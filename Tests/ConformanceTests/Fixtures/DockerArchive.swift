import FoundationEssentials
import Digests

/// An image as `docker save` writes it, made of layers, in memory.
enum DockerArchive {
    static func bytes(of layers: [Layer], named name: String) throws -> [UInt8] {
        let tars = layers.map(\.tar)
        let diffIDs = tars.map { "\(SHA256.digest(of: $0))" }
        let config = try JSONEncoder().encode(
            Config(architecture: "amd64", os: "linux", rootfs: .init(type: "layers", diff_ids: diffIDs))
        )
        let paths = tars.indices.map { "layer\($0)/layer.tar" }
        let manifest = try JSONEncoder().encode([
            Manifest(Config: "config.json", RepoTags: [name], Layers: paths)
        ])
        var outer: Layer = [LayerEntry(path: "config.json", kind: .file(Array(config)))]
        for (path, tar) in zip(paths, tars) {
            outer.append(LayerEntry(path: Path(Array(path.utf8)), kind: .file(tar)))
        }
        outer.append(LayerEntry(path: "manifest.json", kind: .file(Array(manifest))))
        return outer.tar
    }

    private struct Config: Encodable {
        struct RootFS: Encodable {
            var type: String
            var diff_ids: [String]
        }
        var architecture: String
        var os: String
        var rootfs: RootFS
    }

    private struct Manifest: Encodable {
        var Config: String
        var RepoTags: [String]
        var Layers: [String]
    }
}
