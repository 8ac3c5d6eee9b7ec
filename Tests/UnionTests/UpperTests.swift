import Glibc
import Layers
import Linux
import Nodes
import SystemPackage
import Testing
import Union

@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root"))
struct `An upper` {
    private func fixture() throws -> Fixture {
        let fixture = try Fixture()
        try fixture.add(
            ["file": .file("contents"), "link": .symlink("file"), "d": .directory(["x": .file("1")])],
            xattrs: ["user.x": [1], "user.overlay.a": [2], "trusted.overlay.b": [3]]
        )
        return fixture
    }

    /// The old one must be gone before there can be a new one.
    private func end(_ tree: inout UnionTree) throws {
        tree.close()
        tree = try UnionTree(lower: tree.lower, upper: nil)
    }

    @Test func `keeps its notes in user attributes if asked to, and only these are private then`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(userxattr: true)
        try tree.write("file", "C")
        try tree.rename("d", to: "e")
        try expect(fixture.upperXattr("user.overlay.mica.inode", of: "file") != nil)
        try expect(fixture.upperXattr("trusted.overlay.mica.inode", of: "file") == nil)
        try expect(fixture.upperXattr("user.overlay.redirect", of: "e") == Array("/d".utf8))
        try expect(fixture.upperXattr("user.overlay.overlay.a", of: "file") == [2])
        let id = try tree.id("file")
        try end(&tree)
        tree = try fixture.union(userxattr: true)
        try expect(tree.id("file") == id)
        try expect(tree.names("e") == ["x"])
        try expect(tree.xattr("user.overlay.a", of: id) == [2])
        try expect(tree.xattrs(of: id).filter { $0.hasPrefix("user.overlay.") } == ["user.overlay.a"])
    }

    @Test func `makes one inode of its whiteouts, and keeps no name for it`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        for name in ["file", "link"] { try tree.unlink(name) }
        try tree.write("d/x", "copied up")
        try tree.unlink("d/x")
        let upper = fixture.directory.appending("upper")
        func whiteouts() throws -> [FileStatus] {
            try ["file", "link", "d/x"].map { try upper.appending($0).status() }
        }
        let made = try whiteouts()
        #expect(made.allSatisfy { $0.st_mode & S_IFMT == S_IFCHR && $0.st_rdev == 0 })
        #expect(Set(made.map(\.st_ino)).count == 1)
        try end(&tree)
        #expect(try whiteouts().allSatisfy { $0.st_nlink == 3 })
        tree = try fixture.union()
        try expect(tree.names("/") == ["d"])
        try expect(tree.names("d") == [])
        // One that is in the way of something new is no other's.
        try tree.touch("file")
        try tree.unlink("file")
        try expect(tree.names("/") == ["d"])
        #expect(try whiteouts().map(\.st_nlink).min() == 2)
    }

    @Test func `copies up what can have no user attributes without a mark`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(userxattr: true)
        let id = try tree.id("link")
        var change = AttributeChange()
        change.uid = 7
        try expect(tree.change(id, change).uid == 7)
        // Found by name again, it is still the node that the kernel knows.
        try expect(tree.id("link") == id)
        try tree.rename("link", to: "renamed")
        try expect(tree.id("renamed") == id)
        try end(&tree)
        tree = try fixture.union(userxattr: true)
        try expect(tree.stat("renamed")?.uid == 7)
        try expect(tree.target(of: tree.id("renamed")) == Array("file".utf8))
        try tree.unlink("renamed")
        try expect(tree.stat("renamed") == nil)
    }

    @Test func `is refused after a volatile mount that did not end cleanly`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(volatile: true)
        try tree.write("file", "C")
        try tree.synchronize(tree.id("file"), dataOnly: false)
        try expect(fixture.directory.appending("work/work/incompat/volatile").exists)
        try end(&tree)
        try expect(!fixture.directory.appending("work/work").exists)

        tree = try fixture.union(volatile: true)
        try expect(tree.contents("file") == "Contents")
        tree = try UnionTree(lower: tree.lower, upper: nil)
        let failure = #expect(throws: Failure.self) { try fixture.union() }
        #expect(failure?.description.contains("volatile") == true)
        try fixture.directory.appending("work/work/incompat/volatile").removeTree()
        tree = try fixture.union()
        try expect(tree.contents("file") == "Contents")
    }
}
