import Digests
import Layers
import Linux
import Scratch
import SystemPackage
import Tar

import struct Foundation.UUID

/// A store of its own in a temporary directory, gone with the object.
final class TestStore: Sendable {
    let layout: StoreLayout

    init() throws {
        layout = StoreLayout(root: FilePath("\(Scratch.prefix("layers"))\(UUID())"))
        try layout.prepare()
    }

    deinit { try? layout.root.removeTree() }

    func stage(
        _ tar: [UInt8],
        expecting: Expectation = Expectation(),
        limits: ImportLimits = .standard,
        standsAlone: Bool = true
    ) throws -> StagedLayer {
        try LayerImport(layout: layout, limits: limits)
            .stage(MemorySource(tar), named: "test", expecting: expecting, standsAlone: standsAlone)
    }

    @discardableResult
    func load(_ tar: [UInt8], expecting: Expectation = Expectation()) throws -> StagedLayer {
        let staged = try stage(tar, expecting: expecting)
        try staged.publish()
        return staged
    }

    func export(_ diffID: Digest) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try LayerExport(layout: layout).write(diffID) { bytes += $0 }
        return bytes
    }

    /// Every name in the layer with what it is; whiteouts as kind 14.
    func tree(_ diffID: Digest) throws -> [String: Seen] {
        try tree(LayerIndex(layout.layer(diffID).appending("index"), verifying: true))
    }

    func tree(_ index: LayerIndex) throws -> [String: Seen] {
        let contents = LayerContents(layout: layout, index: index)
        var seen: [String: Seen] = [:]
        func walk(_ directory: UInt32, _ path: String) throws {
            let record = try index.inode(directory)
            for slot in record.entries {
                let entry = try index.entry(slot)
                let name = path + String(decoding: entry.name, as: UTF8.self)
                guard !entry.isWhiteout else {
                    seen[name] = Seen(kind: entry.kind)
                    continue
                }
                let inode = try index.inode(entry.inode)
                var found = Seen(kind: entry.kind, number: entry.inode, record: inode)
                found.target = String(decoding: try index.target(of: inode), as: UTF8.self)
                if inode.isRegular, inode.size <= 1 << 24 {
                    var bytes = [UInt8](repeating: 0, count: Int(inode.size))
                    _ = try bytes.withUnsafeMutableBytes { try contents.read(inode, into: $0, at: 0) }
                    found.content = bytes
                }
                seen[name] = found
                if inode.isDirectory { try walk(entry.inode, name + "/") }
            }
        }
        seen["/"] = Seen(kind: 4, number: 0, record: try index.inode(0))
        try walk(0, "")
        return seen
    }

    /// Files in tmp/, layers/ and objects/, directories included.
    func leftovers() throws -> Int {
        try layout.tmp.names().count + layout.layers.names().count + layout.objects.names().count
    }
}

struct Seen {
    var kind: UInt8
    var number: UInt32 = 0
    var record = InodeRecord()
    var target = ""
    var content: [UInt8] = []
}

/// A tar of these entries, by our own writer; a path that ends in `/` is a directory.
func tar(_ entries: [Made]) throws -> [UInt8] {
    final class Output { var bytes: [UInt8] = [] }
    let output = Output()
    var writer = TarWriter { output.bytes += $0 }
    for made in entries { try writer.add(made.entry, content: made.content) }
    try writer.finish()
    return output.bytes
}

struct Made {
    var entry: TarEntry
    var content: [UInt8] = []

    static func file(_ path: String, _ content: String = "", mode: UInt32 = 0o644) -> Made {
        bytes(path, Array(content.utf8), mode: mode)
    }

    static func bytes(_ path: String, _ content: [UInt8], mode: UInt32 = 0o644) -> Made {
        Made(entry: TarEntry(path: Array(path.utf8), kind: .file, mode: mode), content: content)
    }

    static func directory(_ path: String, mode: UInt32 = 0o755, xattrs: [TarEntry.Xattr] = []) -> Made {
        Made(entry: TarEntry(path: Array(path.utf8), kind: .directory, mode: mode, xattrs: xattrs))
    }

    static func symlink(_ path: String, _ target: String) -> Made {
        Made(entry: TarEntry(path: Array(path.utf8), kind: .symbolicLink, linkTarget: Array(target.utf8)))
    }

    static func link(_ path: String, _ target: String, mode: UInt32 = 0o644) -> Made {
        Made(
            entry: TarEntry(
                path: Array(path.utf8),
                kind: .hardLink,
                mode: mode,
                linkTarget: Array(target.utf8)
            )
        )
    }
}

/// Bytes that no codec can shorten, the same for the same seed.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33)
    }
}
