import Glibc
import Layers
import Linux
import Nodes
import SystemPackage
import Testing

import Union

/// Lower directories that were renamed at an earlier mount, which nothing but the upper knows of.
@Suite(
    .timeLimit(.minutes(40)),
    Fixture.InBothForms(),
    .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root")
)
struct `A lower directory that was renamed before` {
    private func fixture() throws -> Fixture {
        let fixture = try Fixture()
        try fixture.add([
            "old": .directory(["sub": .directory(["1": .shared("k", contents: "shared")])]),
            "gone": .directory(["2": .shared("j", contents: "second")]),
            "d": .directory([
                "3": .shared("k", contents: "shared"), "4": .shared("j", contents: "second"), "5": .file("5"),
            ]),
        ])
        return fixture
    }

    private func remount(_ fixture: Fixture, _ tree: inout UnionTree) throws {
        tree = try UnionTree(lower: tree.lower, upper: nil)
        tree = try fixture.union()
    }

    /// Hears of each time that a directory is opened to be read.
    private func watch(_ directory: FilePath) throws -> OwnedFD {
        let watch = OwnedFD(adopting: try Errno.check(inotify_init1(O_NONBLOCK | O_CLOEXEC)))
        try Errno.check(
            directory.withPlatformString { path in
                watch.use { inotify_add_watch($0, path, UInt32(IN_OPEN)) }
            }
        )
        return watch
    }

    private func wasRead(_ watch: borrowing OwnedFD) -> Bool {
        var events = [UInt8](repeating: 0, count: 4096)
        return watch.use { read($0, &events, events.count) } > 0
    }

    @Test func `is looked for when a file's other name must be in it, and not by a mount`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        try tree.mkdir("made")
        try tree.mkdir("made/below")
        try tree.rename("old", to: "made/below/moved")
        try tree.unlink("gone/2")
        try tree.rmdir("gone")
        tree = try UnionTree(lower: tree.lower, upper: nil)
        let made = try watch(fixture.upper.appending("made"))
        tree = try fixture.union()
        try expect(tree.stat("d/5")?.nlink == 1)
        let wasReadByMount = wasRead(made)
        #expect(!wasReadByMount)
        try expect(tree.stat("d/3")?.nlink == 2)
        let wasReadNow = wasRead(made)
        #expect(wasReadNow)
        try expect(tree.stat("d/4")?.nlink == 1)
        try tree.write("d/3", "S")
        for _ in 0..<2 {
            try expect(tree.contents("made/below/moved/sub/1") == "Shared")
            try expect(tree.stat("d/3")?.nlink == 2)
            try remount(fixture, &tree)
        }
    }

    /// More of them than a thread's stack has room for, or a process descriptors.
    @Test func `is found below eight thousand others`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        try tree.mkdir("made")
        try tree.rename("old", to: "made/moved")
        tree = try UnionTree(lower: tree.lower, upper: nil)
        var directory = try OwnedFD.open(fixture.upper.appending("made"), O_RDONLY | O_DIRECTORY)
        let made = try directory.duplicate()
        for _ in 0..<8_000 {
            try Errno.check(directory.use { mkdirat($0, "n", 0o755) })
            directory = try directory.open("n", O_RDONLY | O_DIRECTORY)
        }
        try Errno.check(made.use { from in directory.use { renameat(from, "moved", $0, "moved") } })
        tree = try fixture.union()
        try expect(tree.stat("d/3")?.nlink == 2)
        try tree.write("d/3", "S")
        let file = try directory.open("moved/sub/1", O_RDONLY)
        try expect(file.status().st_nlink == 2)
        // From the root again, with none of those above open.
        for name in 0..<100 {
            try tree.mkdir("other\(name)")
            try tree.touch("other\(name)/x")
        }
        var node = try tree.id("made")
        for _ in 0..<8_000 {
            let found = try Array("n".utf8).withUnsafeBytes { try tree.lookup($0, in: node) }
            node = try #require(found).id
        }
        for name in 0..<100 { try expect(tree.stat("other\(name)/x") != nil) }
        let names = try Array("moved".utf8).withUnsafeBytes { try tree.lookup($0, in: node) }
        #expect(names != nil)
    }
}
