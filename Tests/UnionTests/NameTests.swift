import Digests
import Glibc
import Layers
import Linux
import SystemPackage
import Testing

import Union

/// From a file of an image to the names that it has.
@Suite(.timeLimit(.minutes(40)))
struct `The names of what an image has` {
    /// 40 directories of 50 files each, some of which are the same file.
    private func fixture() throws -> Fixture {
        let fixture = try Fixture()
        var root: [String: Fixture.Item] = [:]
        for directory in 0..<40 {
            var items: [String: Fixture.Item] = [:]
            for file in 0..<50 { items["f\(file)"] = .file("\(directory) \(file)") }
            if directory % 13 == 7 { items["same"] = .shared("same", contents: "shared") }
            if directory == 20 { items["sub"] = .directory(["x": .file("x")]) }
            root["d\(directory)"] = .directory(items)
        }
        try fixture.add(root)
        return fixture
    }

    /// The chain's index, and where its sections are: `IndexFormat`.
    private func bytes(_ fixture: Fixture) throws -> (bytes: [UInt8], sections: [Range<Int>]) {
        let bytes = try OwnedFD.open(fixture.chain().path, O_RDONLY).contents(limit: 1 << 24)
        let sections = (0..<2).map { section in
            bytes.withUnsafeBytes { bytes in
                let start = Int(bytes.load(fromByteOffset: 32 + 16 * section, as: UInt64.self))
                return start..<start + Int(bytes.load(fromByteOffset: 40 + 16 * section, as: UInt64.self))
            }
        }
        return (bytes, sections)
    }

    /// `index` with everything damaged but some inodes and entries.
    private func ruin(
        _ fixture: Fixture,
        except inodes: Set<Int>,
        _ slots: Set<Int>
    ) throws -> LayerIndex {
        var (bytes, sections) = try bytes(fixture)
        for (section, (kept, size)) in zip(sections, [(inodes, 72), (slots, 24)]) {
            for number in 0..<section.count / size where !kept.contains(number) {
                let start = section.lowerBound + number * size
                bytes.replaceSubrange(start..<start + size, with: repeatElement(0xff, count: size))
            }
        }
        let path = fixture.directory.appending("ruined")
        try? path.unlink()
        try OwnedFD.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).writeAll(bytes)
        return try LayerIndex(path, verifying: false)
    }

    private func inode(_ path: String, _ index: LayerIndex) throws -> UInt32 {
        try path.split(separator: "/").reduce(0) { directory, name in
            let found = try Array(name.utf8).withUnsafeBytes { try index.lookup($0, in: directory) }
            return try #require(found).inode
        }
    }

    /// Nothing else can be read, so nothing else is.
    @Test(arguments: [
        ["d7/same", "d20/same", "d33/same"], ["d5/f17"], ["d12"], ["d20/sub/x"],
    ])
    func `are found by looking at nothing but them`(_ paths: [String]) throws {
        let fixture = try fixture()
        let whole = try fixture.chain()
        let number = try inode(paths[0], whole)
        var expected: [[UInt8]: UInt32] = [:]
        var slots: Set<Int> = []
        for path in paths {
            let parent = path.split(separator: "/").dropLast().joined(separator: "/")
            let directory = try inode(parent, whole)
            expected[Array(path.utf8)] = directory
            for slot in try whole.inode(directory).entries where try whole.entry(slot).inode == number {
                slots.insert(Int(slot))
            }
        }
        let index = try ruin(fixture, except: [Int(number)], slots)
        let lower = ChainLower(
            index: index,
            contents: LayerContents(layout: fixture.layout, index: index)
        )
        let found = try lower.names(of: number)
        #expect(found.count == paths.count)
        for (path, directory) in expected {
            let name = path.split(separator: UInt8(ascii: "/")).last.map { Array($0) }
            #expect(found.contains { $0.directory == directory && $0.name == name })
        }
    }

    @Test func `are in an index that an older mica made once it is made again`() throws {
        let fixture = try fixture()
        let path = try fixture.chain().path
        var (bytes, _) = try bytes(fixture)
        bytes[8] = 1
        try path.unlink()
        try OwnedFD.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).writeAll(bytes)
        let chains = ChainStore(layout: fixture.layout)
        #expect(chains.unverified(for: fixture.layers, chainID: ChainID.all(of: fixture.layers).last) == nil)
        #expect(throws: Failure.self) { try LayerIndex(path, verifying: false) }
        let index = try fixture.chain()
        #expect(index.hasRightChecksum)
        let lower = ChainLower(
            index: index,
            contents: LayerContents(layout: fixture.layout, index: index)
        )
        try expect(lower.names(of: inode("d7/same", index)).count == 3)
    }

    /// Onto a chain as at once.
    @Test func `are the same in a chain of a chain`() throws {
        let fixture = try fixture()
        _ = try fixture.chain()
        try fixture.add(["d7": .directory(["f3": .whiteout, "new": .file("new")]), "d9": .whiteout])
        let index = try fixture.chain()
        let lower = ChainLower(
            index: index,
            contents: LayerContents(layout: fixture.layout, index: index)
        )
        for number in 1..<index.inodeCount {
            let names = try lower.names(of: number)
            try expect(names.count == (index.inode(number).isDirectory ? 1 : Int(index.inode(number).nlink)))
            for link in names {
                let entry = try link.name.withUnsafeBytes { try index.lookup($0, in: link.directory) }
                #expect(entry?.inode == number)
            }
        }
    }
}
