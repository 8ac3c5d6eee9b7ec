import Digests
import Glibc
import Layers
import Linux
import Nodes
import SystemPackage
import Testing

import Union

@Suite(.timeLimit(.minutes(40))) struct `Folding of layers` {
    @Test func `takes attributes of a directory that a layer only implies from below`() throws {
        let fixture = try Fixture()
        try fixture.add(["d": .directory(["x": .file("1")], mode: 0o700)])
        try fixture.add(["d": .directory(["y": .file("2")], isImplied: true)])
        let tree = try fixture.union()
        try expect(tree.stat("d")?.mode == S_IFDIR | 0o700)
        try expect(tree.names("d") == ["x", "y"])
    }

    @Test func `counts the names that are left of a file with several`() throws {
        let fixture = try Fixture()
        try fixture.add([
            "a": .shared("f", contents: "one"), "b": .shared("f", contents: "one"),
            "d": .directory(["c": .shared("f", contents: "one")]),
        ])
        try fixture.add(["b": .whiteout])
        let tree = try fixture.union()
        try expect(tree.stat("a")?.nlink == 2)
        try expect(tree.id("a") == tree.id("d/c"))
    }

    @Test func `numbers inodes the same, folded at once or layer by layer`() throws {
        let fixture = try Fixture()
        for layer in 0..<5 {
            try fixture.add([
                "same": .file("\(layer)"), "own\(layer)": .shared("k", contents: "x"),
                "more\(layer)": .shared("k", contents: "x"),
                "d": .directory(["\(layer)": .file("y"), "gone": layer % 2 == 0 ? .file("z") : .whiteout]),
            ])
        }
        let layers = try fixture.indexes()
        func write(_ builder: IndexBuilder, _ name: String) throws -> [UInt8] {
            let path = fixture.directory.appending(name)
            try builder.write(to: OwnedFD.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600))
            return try OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20)
        }
        let atOnce = try write(ChainFold.fold(layers), "at-once")
        var chain = try write(ChainFold.fold([layers[0]]), "step-0")
        for (step, layer) in layers.enumerated().dropFirst() {
            let below = try LayerIndex(fixture.directory.appending("step-\(step - 1)"), verifying: true)
            chain = try write(ChainFold.fold([below, layer]), "step-\(step)")
        }
        #expect(atOnce == chain)
    }

    @Test func `finds every name in a large directory and no other`() throws {
        let fixture = try Fixture()
        let names = (0..<3000).map { "name-\($0 * 7 % 3000)-\(String(repeating: "x", count: $0 % 40))" }
        try fixture.add(Dictionary(uniqueKeysWithValues: names.map { ($0, .file($0)) }))
        let index = try fixture.chain()
        for name in names {
            let entry = try Array(name.utf8).withUnsafeBytes { try index.lookup($0, in: 0) }
            #expect(entry.map { String(decoding: $0.name, as: UTF8.self) } == name)
            let absent = try Array((name + "!").utf8).withUnsafeBytes { try index.lookup($0, in: 0) }
            #expect(absent == nil)
        }
    }
}

@Suite(.timeLimit(.minutes(40))) struct `A damaged index` {
    private func makeIndex() throws -> (Fixture, [UInt8]) {
        let fixture = try Fixture()
        try fixture.add(
            [
                "file": .file("contents"), "link": .symlink("file"), "a": .shared("s", contents: "x"),
                "d": .directory(["b": .shared("s", contents: "x"), "deep": .directory(["er": .file("y")])]),
            ],
            xattrs: ["user.x": [1, 2, 3]]
        )
        let bytes = try OwnedFD.open(fixture.chain().path, O_RDONLY).contents(limit: 1 << 20)
        return (fixture, bytes)
    }

    private func write(_ bytes: [UInt8], _ fixture: Fixture) throws -> FilePath {
        let path = fixture.directory.appending("damaged")
        try path.unlink()
        try OwnedFD.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).writeAll(bytes)
        return path
    }

    @Test func `is refused by its checksum wherever a byte is wrong`() throws {
        let (fixture, bytes) = try makeIndex()
        for position in stride(from: 0, to: bytes.count, by: 3) {
            var damaged = bytes
            damaged[position] ^= 0x40
            let path = try write(damaged, fixture)
            #expect(throws: Failure.self) { try LayerIndex(path, verifying: true) }
        }
    }

    @Test func `is refused when it is cut short`() throws {
        let (fixture, bytes) = try makeIndex()
        for count in [1, 8, 255, 256, bytes.count - 1] {
            let path = try write(Array(bytes[..<count]), fixture)
            #expect(throws: Failure.self) { try LayerIndex(path, verifying: false) }
        }
    }

    /// Without the checksum of the body, every number in it must still be checked before it is used.
    @Test func `answers errors and never crashes when nobody verified it`() throws {
        let (fixture, bytes) = try makeIndex()
        var generator = SplitMix(state: 42)
        for _ in 0..<2000 {
            var damaged = bytes
            for _ in 0..<(1 + Int(generator.next() % 4)) {
                damaged[256 + Int(generator.next() % UInt64(bytes.count - 256))] = UInt8(
                    truncatingIfNeeded: generator.next()
                )
            }
            let index = try LayerIndex(write(damaged, fixture), verifying: false)
            let tree = try UnionTree(
                lower: ChainLower(
                    index: index,
                    contents: LayerContents(layout: fixture.layout, index: index)
                ),
                upper: nil
            )
            for path in ["file", "link", "a", "d/b", "d/deep/er"] {
                _ = try? tree.contents(path)
                if let id = try? tree.id(path) {
                    _ = try? tree.target(of: id)
                    _ = try? tree.xattrs(of: id)
                    _ = try? tree.seek(id, offset: 0, whence: SEEK_DATA)
                }
            }
            for path in ["", "d", "d/deep"] { _ = try? tree.names(path) }
            for inode in 0..<index.inodeCount { _ = try? tree.lower.names(of: inode) }
        }
    }
}

/// A seeded generator: a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
