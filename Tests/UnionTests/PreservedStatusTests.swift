import Glibc
import Layers
import Linux
import Nodes
import SystemPackage
import Testing
import Union

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root"),
    Fixture.InBothForms()
)
struct `What the union does for itself` {
    private func fixture() throws -> Fixture {
        let fixture = try Fixture()
        try fixture.add([
            "top": .file("1"), "a": .shared("names", contents: "2"),
            "d": .directory([
                "x": .file("3"), "y": .file("4"), "b": .shared("names", contents: "2"),
                "e": .directory(["f": .file("5"), "g": .file("6"), "h": .symlink("f")]),
            ]),
            "block": .file(String(repeating: "0123456789", count: 10_000)),
        ])
        return fixture
    }

    /// All that stat(2) says.
    private func status(_ tree: UnionTree, _ path: String) throws -> [Int64] {
        let status = try #require(try tree.stat(path))
        let times = [status.atime, status.mtime, status.ctime].flatMap {
            [$0.seconds, Int64($0.nanoseconds)]
        }
        return times + [status.ino, status.size, status.blocks].map { Int64(bitPattern: $0) }
            + [status.mode, status.nlink, status.uid, status.gid].map(Int64.init)
    }

    private func ctime(_ tree: UnionTree, _ path: String) throws -> [Int64] {
        let time = try #require(try tree.stat(path)).ctime
        return [time.seconds, Int64(time.nanoseconds)]
    }

    private func chmod(_ tree: UnionTree, _ path: String, _ mode: UInt32) throws {
        var change = AttributeChange()
        change.mode = mode
        _ = try tree.change(tree.id(path), change)
    }

    @Test func `changes nothing that stat says of directories above`() throws {
        let fixture = try fixture()
        let tree = try fixture.union(metacopy: true)
        let above = ["/", "d", "d/e"]
        let before = try above.map { try status(tree, $0) }
        for change: (UnionTree) throws -> Void in [
            { try $0.write("d/e/f", "F") }, { try $0.write("d/x", "X") }, { try $0.write("block", "B") },
            { try chmod($0, "d/e/g", 0o600) }, { try $0.write("a", "A") }, { try $0.write("top", "T") },
        ] {
            try change(tree)
            #expect(try above.map { try status(tree, $0) } == before)
        }
        // What a process does is seen, and then stays as well.
        try tree.touch("d/new")
        let after = try status(tree, "d")
        #expect(after != before[1])
        try tree.write("d/y", "Y")
        try expect(status(tree, "d") == after)
        try expect(status(tree, "d/e") == before[2])
        try expect(status(tree, "/") == before[0])
    }

    @Test func `hides no change that somebody makes right afterwards`() throws {
        let fixture = try fixture()
        let tree = try fixture.union(metacopy: true)
        let (directory, file) = try (ctime(tree, "d/e"), ctime(tree, "d/x"))
        for (path, before) in [("d/e", directory), ("d/x", file)] {
            // In the tick of the clock in which it was copied up.
            try chmod(tree, path, 0o700)
            try expect(ctime(tree, path) != before)
        }
        for change: (UnionTree, UInt64) throws -> Void in [
            { tree, id in try [1].withUnsafeBytes { try tree.setXattr("user.x", of: id, to: $0, flags: 0) } },
            { tree, id in try tree.removeXattr("user.x", of: id) },
        ] {
            try tree.write("d/e/f", "F")
            let before = try ctime(tree, "d/e")
            // The clock of the filesystem goes on by ticks.
            usleep(20_000)
            try change(tree, tree.id("d/e"))
            try expect(ctime(tree, "d/e") != before)
        }
    }

    @Test func `changes nothing that stat says of a file whose data it brings`() throws {
        let fixture = try fixture()
        let tree = try fixture.union(metacopy: true)
        try tree.write("block", "B")
        let before = try ctime(tree, "block")
        usleep(20_000)
        try expect(tree.materialize { _ in } >= 1)
        try expect(fixture.upperXattr("trusted.overlay.metacopy", of: "block") == nil)
        try expect(ctime(tree, "block") == before)
        usleep(20_000)
        try tree.write("block", "b")
        try expect(ctime(tree, "block") != before)
    }

    @Test func `shows the time that the kernel keeps for what it caches`() throws {
        let fixture = try fixture()
        let tree = try fixture.union()
        try tree.touch("new")
        var change = AttributeChange()
        change.mtime = .at(seconds: 5, nanoseconds: 6)
        change.ctime = Attributes.Time(seconds: 7, nanoseconds: 8)
        _ = try tree.change(tree.id("new"), change)
        try expect(ctime(tree, "new") == [7, 8])
        try chmod(tree, "new", 0o600)
        try expect(ctime(tree, "new") != [7, 8])
    }
}
