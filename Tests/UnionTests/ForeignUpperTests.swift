import Glibc
import Layers
import Linux
import Nodes
import SystemPackage
import Testing
import Union

@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root"))
struct `Marks of other overlays` {
    private func fixture() throws -> Fixture {
        let fixture = try Fixture()
        try fixture.add([
            "a": .file("1"), "b": .file("2"),
            "d": .directory(["x": .file("3"), "y": .file("4")]),
            "o": .directory(["x": .file("5")]), "p": .directory(["x": .file("6")]),
        ])
        return fixture
    }

    private func make(_ path: String, in fixture: Fixture) throws {
        _ = try OwnedFD.open(fixture.upper.pushing(FilePath(path)), O_RDWR | O_CREAT, mode: 0o600)
    }

    @Test func `are read in an upper that fuse-overlayfs began`() throws {
        let fixture = try fixture()
        for directory in ["d", "o", "p"] { try fixture.upper.appending(directory).makeDirectories() }
        for path in [".wh.a", "d/.wh.y", "d/.wh.gone", "o/.wh..wh..opq", "o/new"] {
            try make(path, in: fixture)
        }
        try Xattr.set("user.fuseoverlayfs.opaque", [UInt8(ascii: "y")], at: fixture.upper.appending("p"))
        for _ in 0..<2 {
            let tree = try fixture.union()
            try expect(tree.names("/") == ["b", "d", "o", "p"])
            try expect(tree.names("d") == ["x"])
            try expect(tree.names("o") == ["new"])
            try expect(tree.names("p") == [])
            try tree.mkdir("a")
            try expect(tree.names("a") == [])
            try tree.rmdir("a")
            tree.close()
        }
    }

    @Test func `in names made inside a mount are names`() throws {
        let fixture = try fixture()
        for round in 0..<2 {
            let tree = try fixture.union()
            if round == 0 {
                for path in [".wh.a", "d/.wh.x", "d/.wh..wh..opq"] { try tree.touch(path) }
            }
            try expect(tree.names("/") == [".wh.a", "a", "b", "d", "o", "p"])
            try expect(tree.names("d") == [".wh..wh..opq", ".wh.x", "x", "y"])
            tree.close()
        }
    }

    @Test func `may be empty files with an attribute, in a directory that says so`() throws {
        let fixture = try fixture()
        for directory in ["d", "o"] { try fixture.upper.appending(directory).makeDirectories() }
        for path in ["d/x", "o/x"] {
            try make(path, in: fixture)
            try Xattr.set("trusted.overlay.whiteout", [], at: fixture.upper.pushing(FilePath(path)))
        }
        try Xattr.set("trusted.overlay.opaque", [UInt8(ascii: "x")], at: fixture.upper.appending("d"))
        let tree = try fixture.union()
        try expect(tree.names("d") == ["y"])
        try expect(tree.names("o") == ["x"])
        try tree.mkdir("d/x")
        try tree.rename("o/x", to: "d/z")
        try expect(tree.names("d") == ["x", "y", "z"])
        try expect(tree.names("d/x") == [])
    }
}

@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root"))
struct `A whiteout made inside a mount` {
    @Test func `is a device there, and hides nothing`() throws {
        let fixture = try Fixture()
        try fixture.add(["a": .file("1"), "b": .device(0), "d": .directory(["x": .file("2")])])
        for round in 0..<2 {
            let tree = try fixture.union()
            if round == 0 {
                try tree.touch("w", mode: S_IFCHR | 0o600)
                try tree.touch("d/w", mode: S_IFCHR | 0o600)
                try tree.rename("a", to: "d/a", flags: 4)
                try tree.rename("d/x", to: "d/y", flags: 4)
                var change = AttributeChange()
                change.uid = 5
                _ = try tree.change(tree.id("b"), change)
            }
            for path in ["w", "d/w", "a", "d/x", "b"] {
                let found = try #require(try tree.stat(path))
                #expect(found.mode & S_IFMT == S_IFCHR, "\(path)")
                #expect(found.rdev == 0)
                try expect(tree.xattrs(of: found.id) == [])
            }
            try expect(tree.stat("b")?.uid == 5)
            try expect(tree.contents("d/a") == "1")
            try expect(tree.contents("d/y") == "2")
            try expect(tree.names("d") == ["a", "w", "x", "y"])
            try expect(fixture.upperXattr("trusted.overlay.overlay.whiteout", of: "w") == [])
            if round == 1 {
                try tree.unlink("w")
                try tree.rename("d/w", to: "w2")
                try expect(tree.stat("w2")?.mode == S_IFCHR | 0o600)
                try expect(tree.stat("w") == nil)
            }
            tree.close()
        }
    }
}

@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root"))
struct `A file without a name` {
    private func temporary(_ tree: UnionTree, in path: String, mode: UInt32 = 0o666) throws -> Attributes {
        // The umask of the whole process, as it is: what runs at the same time must not see another.
        try tree.makeTemporary(in: tree.id(path), mode: mode, by: Caller(uid: 0, gid: 0, umask: 0o22))
    }

    @Test func `gets one by a link, or is gone with its last reference`() throws {
        let fixture = try Fixture()
        try fixture.add(["a": .file("1"), "d": .directory(["x": .file("2")])])
        let tree = try fixture.union()
        let file = try temporary(tree, in: "d")
        #expect(file.nlink == 0)
        #expect(file.mode == S_IFREG | 0o644)
        _ = try Array("text".utf8).withUnsafeBytes {
            try tree.write(file.id, $0, at: 0, killsPrivileges: false)
        }
        let directory = try tree.id("d")
        try tree.unlink("d/x")
        for name in ["x", "new"] {
            let linked = try Array(name.utf8).withUnsafeBytes {
                try tree.link(file.id, as: $0, in: directory)
            }
            #expect(linked.id == file.id)
        }
        try expect(tree.stat("d/x")?.nlink == 2)
        try expect(tree.contents("d/new") == "text")

        let other = try temporary(tree, in: "d")
        let orphans = fixture.directory.appending("work/orphans")
        try expect(orphans.names().count == 1)
        tree.forget(other.id, 1)
        try expect(orphans.names().isEmpty)
    }
}
