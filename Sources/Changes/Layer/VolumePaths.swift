package import Layers

import Linux
import OCI

/// Where an image's config declares volumes. Docker mounts one of its own at each of them, so that what a container
/// writes there never gets into an image that is made of it; nor does it here, where they are directories like others.
package struct VolumePaths: Sendable {
    /// Without slashes at the ends; never the root.
    private var paths: Set<[UInt8]> = []

    /// None.
    package init() {}

    /// Those of `config`, an image's. Symbolic links of `chain` on the way are followed, as where something is mounted.
    package init(config: [UInt8], in chain: LayerIndex) throws {
        let volumes = try ImageConfig(json: config, name: "the image's config").config?.volumes ?? [:]
        for path in volumes.keys {
            let resolved = try VolumePaths.resolve(Array(path.utf8), in: chain)
            if !resolved.isEmpty { paths.insert(resolved) }
        }
    }

    func contains(_ path: [UInt8]) -> Bool { !paths.isEmpty && paths.contains(path) }

    /// Whether `path` is one of them or in one.
    func cover(_ path: [UInt8]) -> Bool {
        guard !paths.isEmpty else { return false }
        if paths.contains(path) { return true }
        return path.indices.contains { path[$0] == 0x2f && paths.contains(Array(path[..<$0])) }
    }

    private static func resolve(_ path: [UInt8], in chain: LayerIndex) throws -> [UInt8] {
        var way: [(name: ArraySlice<UInt8>, inode: UInt32?)] = []
        var rest = Array(path.split(separator: 0x2f).reversed())
        var links = 0
        while let name = rest.popLast() {
            if name.elementsEqual(".".utf8) { continue }
            if name.elementsEqual("..".utf8) {
                _ = way.popLast()
                continue
            }
            let directory = way.isEmpty ? 0 : way[way.count - 1].inode
            let inode = try directory.flatMap { number -> UInt32? in
                let record = try chain.inode(number)
                guard record.isDirectory else { return nil }
                return try Array(name).withUnsafeBytes { try chain.lookup($0, in: record)?.inode }
            }
            if let inode, links < 40, case let record = try chain.inode(inode), record.isSymlink {
                links += 1
                let target = [UInt8](try chain.target(of: record))
                if target.first == 0x2f { way = [] }
                rest += target.split(separator: 0x2f).reversed()
            } else {
                way.append((name, inode))
            }
        }
        return Array(way.map(\.name).joined(separator: [0x2f]))
    }
}
