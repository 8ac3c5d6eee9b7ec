import Foundation
import Glibc
import Linux
import Nodes
import Overlay
import SystemPackage
import Testing

import Union

@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root"))
struct `A stack of directories` {
    private func fixture() throws -> Fixture {
        try Fixture.$form.withValue(.directories) { try Fixture() }
    }

    private func mark(_ fixture: Fixture, _ layer: Int, _ path: String, _ name: XattrName, _ value: String)
        throws
    {
        let path = fixture.directories[layer].pushing(FilePath(path))
        try Xattr.set(name, Array(value.utf8), at: path)
    }

    @Test func `reads what fuse-overlayfs writes where it can make no devices`() throws {
        let fixture = try fixture()
        let low: [String: Fixture.Item] = [
            "file": .file("1"), "d": .directory(["x": .file("1")]), "e": .directory(["x": .file("1")]),
            "gone": .directory(["x": .file("1")]),
        ]
        try fixture.add(low)
        try fixture.add([
            ".wh.file": .file(""), "d": .directory([".wh..wh..opq": .file(""), "y": .file("2")]),
            "e": .directory(["y": .file("2")]), ".wh.gone": .file(""), ".wh.data": .file("not empty"),
        ])
        try mark(fixture, 1, "e", "user.fuseoverlayfs.opaque", "y")
        let tree = try fixture.union()
        try expect(tree.names("") == [".wh.data", "d", "e"])
        try expect(tree.names("d") == ["y"])
        try expect(tree.names("e") == ["y"])
        try expect(tree.xattrs(of: tree.id("e")) == [])
    }

    @Test func `reads whiteouts that are files with an attribute`() throws {
        let fixture = try fixture()
        try fixture.add(["d": .directory(["x": .file("1"), "y": .file("2")]), "z": .file("3")])
        try fixture.add(["d": .directory(["x": .file(""), "w": .file("")]), "z": .file("")])
        try mark(fixture, 1, "d", "trusted.overlay.opaque", "x")
        try mark(fixture, 1, "d/x", "trusted.overlay.whiteout", "")
        // In a directory that does not announce them it means nothing.
        try mark(fixture, 1, "z", "trusted.overlay.whiteout", "")
        let tree = try fixture.union()
        try expect(tree.names("d") == ["w", "y"])
        try expect(tree.contents("z") == "")
    }

    @Test func `follows redirects of directories to siblings and to paths`() throws {
        let fixture = try fixture()
        try fixture.add([
            "a": .directory(["old": .directory(["one": .file("1")])]),
            "p": .directory(["q": .directory(["two": .file("2")])]),
        ])
        try fixture.add([
            "a": .directory(["new": .directory(["three": .file("3")]), "old": .whiteout]),
            "moved": .directory(["four": .file("4"), "q": .directory([:])]), "p": .whiteout,
        ])
        try fixture.add(["here": .directory(["five": .file("5")]), "moved": .whiteout])
        try mark(fixture, 1, "a/new", "trusted.overlay.redirect", "old")
        try mark(fixture, 1, "moved", "trusted.overlay.redirect", "/p")
        try mark(fixture, 2, "here", "trusted.overlay.redirect", "/moved")
        let tree = try fixture.union()
        try expect(tree.names("a") == ["new"])
        try expect(tree.names("a/new") == ["one", "three"])
        try expect(tree.names("here") == ["five", "four", "q"])
        try expect(tree.names("here/q") == ["two"])
        try expect(tree.contents("here/q/two") == "2")
        try expect(tree.names("") == ["a", "here"])
    }

    @Test func `takes the data of a file with only attributes from below`() throws {
        let fixture = try fixture()
        try fixture.add(["d": .directory(["file": .file("the data")]), "old": .file("moved data")])
        try fixture.add([
            "d": .directory(["file": .file("", mode: 0o600)]), "new": .file(""), "lost": .file(""),
            "old": .whiteout,
        ])
        for (path, size) in [("d/file", 8), ("new", 10), ("lost", 5)] {
            try mark(fixture, 1, path, "trusted.overlay.metacopy", "")
            let file = fixture.directories[1].pushing(FilePath(path))
            try Errno.check(file.withPlatformString { truncate($0, size) })
        }
        try mark(fixture, 1, "new", "trusted.overlay.redirect", "/old")
        let tree = try fixture.union()
        try expect(tree.contents("d/file") == "the data")
        try expect(tree.stat("d/file")?.mode == S_IFREG | 0o600)
        try expect(tree.stat("d/file")?.blocks ?? 0 > 0)
        try expect(tree.contents("new") == "moved data")
        #expect(errno { _ = try tree.contents("lost") } == EIO)
        try tree.write("d/file", "T")
        try expect(tree.contents("d/file") == "The data")
    }

    @Test func `keeps numbers of files over a remount, and with another layer on top`() throws {
        let fixture = try fixture()
        try fixture.add(["d": .directory(["a": .shared("f", contents: "one"), "b": .file("2")])])
        try fixture.add(["c": .file("3"), "d": .directory(["e": .file("4")])])
        var tree = try fixture.union()
        for path in ["c", "d/a", "d/b", "d/e"] { try tree.write(path, "C") }
        let before = try ["c", "d/a", "d/b", "d/e"].map { try tree.stat($0)?.ino }
        #expect(Set(before).count == 4)
        tree = try UnionTree(lower: tree.lower, upper: nil)
        tree = try fixture.union()
        try expect(["c", "d/a", "d/b", "d/e"].map { try tree.stat($0)?.ino } == before)
        tree = try UnionTree(lower: tree.lower, upper: nil)
        try fixture.add(["f": .file("5")])
        tree = try fixture.union()
        try expect(["c", "d/a", "d/b", "d/e"].map { try tree.stat($0)?.ino } == before)
        try expect(tree.contents("c") == "C")
    }

    /// Whichever of the two is met first.
    @Test(arguments: ["a", "another"]) func `takes no file for another that got its inode since`(
        first: String
    ) throws {
        let fixture = try fixture()
        try fixture.add(["a": .shared("f", contents: "1"), "b": .shared("f", contents: "1")])
        var tree = try fixture.union()
        try tree.unlink("b")
        try tree.write("a", "C")
        tree = try UnionTree(lower: tree.lower, upper: nil)
        // In place: the inode stays.
        let file = try OwnedFD.open(fixture.directories[0].appending("a"), O_WRONLY | O_TRUNC)
        try file.writeAll(Array("another".utf8))
        let other = fixture.directories[0].appending("another")
        try Errno.check(
            fixture.directories[0].appending("a").withPlatformString { old in
                other.withPlatformString { Glibc.link(old, $0) }
            }
        )
        tree = try fixture.union()
        _ = try tree.id(first)
        try expect(tree.contents("a") == "C")
        try expect(tree.contents("another") == "another")
        try expect(tree.id("a") != tree.id("another"))
        try expect(tree.stat("a")?.ino != tree.stat("another")?.ino)
    }

    @Test func `sees no other mounts inside its layers, and follows links to them`() throws {
        let fixture = try fixture()
        try fixture.add(["d": .directory(["x": .file("1")])])
        let inner = fixture.directories[0].appending("d")
        try Errno.check(inner.withPlatformString { mount("tmpfs", $0, "tmpfs", 0, nil) })
        defer { inner.withPlatformString { _ = umount2($0, CInt(MNT_DETACH)) } }
        let link = fixture.directory.appending("link")
        try Errno.check(
            link.withPlatformString { link in
                fixture.directories[0].withPlatformString { Glibc.symlink($0, link) }
            }
        )
        let stack = try DirectoryStack(layers: [link], marks: .trusted)
        let tree = try UnionTree(lower: stack, upper: nil)
        try expect(tree.contents("d/x") == "1")
    }

    @Test(arguments: [1, 60, 120, 500]) func `merges many layers`(count: Int) throws {
        let fixture = try fixture()
        for number in 0..<count {
            try fixture.add([
                "all": .directory(["\(number)": .file("\(number)"), "same": .file("\(number)")]),
                "own-\(number)": .directory(["file": .file("x")]),
            ])
        }
        let tree = try fixture.union()
        try expect(tree.names("all").count == count + 1)
        try expect(tree.contents("all/same") == "\(count - 1)")
        try expect(tree.contents("all/0") == "0")
        try expect(tree.names("").count == count + 1)
        try expect(tree.stat("")?.nlink == UInt32(count + 3))
    }

    @Test func `lists a hundred thousand names once each, looked up from several threads`() throws {
        let fixture = try fixture()
        try fixture.add(["d": .directory([:])])
        try fixture.add(["d": .directory([:])])
        for layer in 0..<2 {
            let directory = try OwnedFD.open(
                fixture.directories[layer].appending("d"),
                O_RDONLY | O_DIRECTORY
            )
            for number in stride(from: layer * 25_000, to: 75_000 + layer * 25_000, by: 1) {
                try Errno.check(mknodat(directory.raw, "\(number)", S_IFREG | 0o600, 0))
            }
        }
        let tree = try fixture.union()
        let directory = try tree.id("d")
        DispatchQueue.concurrentPerform(iterations: 4) { part in
            for number in stride(from: part, to: 100_000, by: 97) {
                let found = try? Array("\(number)".utf8).withUnsafeBytes {
                    try tree.lookup($0, in: directory)
                }
                #expect(found != nil)
            }
        }
        try expect(Set(tree.names("d")).count == 100_000)
        try expect(tree.names("d").count == 100_000)
    }
}
