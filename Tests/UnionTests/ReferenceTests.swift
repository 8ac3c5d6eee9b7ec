import Glibc
import Linux
import Nodes
import SystemPackage
import Testing
import Union

/// What stays and what goes when names go and the kernel forgets.
@Suite(
    .timeLimit(.minutes(40)),
    Fixture.InBothForms(),
    .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root")
)
struct `What the kernel refers to` {
    private func fixture() throws -> Fixture {
        let fixture = try Fixture()
        try fixture.add([
            "file": .file("contents"), "d": .directory(["x": .file("1"), "y": .file("2")]),
            "empty": .directory([:]), "full": .directory(["below": .file("3")]),
        ])
        return fixture
    }

    private func orphans(_ fixture: Fixture) throws -> Int {
        try fixture.directory.appending("work/orphans").names().count
    }

    private func contents(_ tree: UnionTree, _ id: UInt64) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = try buffer.withUnsafeMutableBytes { try tree.read(id, into: $0, at: 0) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    private func write(_ tree: UnionTree, _ id: UInt64, _ text: String) throws {
        _ = try Array(text.utf8).withUnsafeBytes { try tree.write(id, $0, at: 0, killsPrivileges: false) }
    }

    private func remount(_ fixture: Fixture, _ tree: inout UnionTree) throws {
        tree = try UnionTree(lower: tree.lower, upper: nil)
        tree = try fixture.union()
    }

    @Test func `keeps what was written to it when references from before the copy-up come back late`() throws
    {
        let fixture = try fixture()
        let tree = try fixture.union()
        let id = try tree.id("file")
        _ = try tree.id("file")
        // Listing counts as well.
        var listed: UInt64 = 0
        try tree.list(NodeID.root, from: 0, isCounting: true) { (entry) throws(FSError) in
            if entry.attributes.id == id { listed += 1 }
            return true
        }
        #expect(listed == 1)
        try write(tree, id, "CONTENTS")
        // One more, which the kernel keeps; then what it held before comes back.
        _ = try tree.id("file")
        try tree.unlink("file")
        tree.forget(id, 3)
        try write(tree, id, "changed!")
        try expect(contents(tree, id) == "changed!")
        try expect(tree.attributes(of: id).nlink == 0)
        tree.forget(id, 1)
        try expect(orphans(fixture) == 0)
        #expect(errno { try write(tree, id, "x") } == 0, "what only the lower has can be copied up again")
    }

    /// A FORGET brings as many references back as it says, and the kernel may keep others.
    @Test func `goes on as long as one reference is left, whichever came back and when`() throws {
        let fixture = try fixture()
        let tree = try fixture.union()
        // Made here.
        try tree.touch("new")
        let new = try tree.id("new")
        _ = try (tree.id("new"), tree.id("new"))
        try write(tree, new, "new text")
        tree.forget(new, 1)
        try tree.unlink("new")
        // touch() counted one as well.
        tree.forget(new, 2)
        try expect(contents(tree, new) == "new text")
        tree.forget(new, 1)
        #expect(errno { _ = try contents(tree, new) } == ESTALE)

        // Some from before it was copied up, and some of these came back before.
        let old = try tree.id("file")
        for _ in 0..<4 { _ = try tree.id("file") }
        tree.forget(old, 2)
        try write(tree, old, "CONTENTS")
        tree.forget(old, 1)
        try tree.unlink("file")
        try expect(contents(tree, old) == "CONTENTS")
        tree.forget([References(old, 1)])
        try expect(contents(tree, old) == "CONTENTS")
        try expect(tree.attributes(of: old).nlink == 0)
        tree.forget(old, 1)
        try expect(contents(tree, old) == "contents")
        try expect(orphans(fixture) == 0)

        // Among others, of which each may have any number.
        try tree.write("d/x", "X")
        let (x, y) = try (tree.id("d/x"), tree.id("d/y"))
        // write() looked it up, too; so did each path through the directory.
        try tree.unlink("d/x")
        tree.forget([References(y, 1), References(x, 1), References(NodeID.root, 3)])
        try expect(contents(tree, x) == "X")
        tree.forget([References(x, 1)])
        try expect(contents(tree, x) == "1")
    }

    @Test func `takes no room once it is forgotten, in whatever order`() throws {
        let fixture = try fixture()
        let tree = try fixture.union()
        // Forgotten before it is deleted, as after an eviction from the kernel's cache.
        let early = try tree.id("d/x")
        try write(tree, early, "X")
        tree.forget(early, 1)
        try tree.unlink("d/x")
        try expect(orphans(fixture) == 0)
        // Written for the first time when it has no name.
        let late = try tree.id("d/y")
        try tree.unlink("d/y")
        try write(tree, late, "Y")
        try expect(orphans(fixture) == 1)
        try expect(contents(tree, late) == "Y")
        tree.forget(late, 1)
        try expect(orphans(fixture) == 0)
    }

    @Test func `has no links when its directory is removed`() throws {
        let fixture = try fixture()
        let tree = try fixture.union()
        let id = try tree.id("empty")
        try expect(tree.attributes(of: id).nlink == 2)
        try tree.rmdir("empty")
        try expect(tree.attributes(of: id).nlink == 0)
        var change = AttributeChange()
        change.mode = 0o711
        try expect(tree.change(id, change).mode & 0o777 == 0o711)
        try expect(tree.attributes(of: id).nlink == 0)
        try expect(tree.stat("empty") == nil)
        tree.forget(id, 1)
        try expect(orphans(fixture) == 0)
        try tree.mkdir("new")
        let made = try tree.id("new")
        try tree.rmdir("new")
        try expect(tree.attributes(of: made).nlink == 0)
    }

    @Test func `goes on as a directory that another replaced`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        // One that looks empty, because all that is below was deleted.
        try tree.unlink("d/x")
        try tree.unlink("d/y")
        let old = try tree.id("d")
        let ino = try tree.stat("full")?.ino
        try tree.rename("full", to: "d")
        try expect(tree.attributes(of: old).nlink == 0)
        var change = AttributeChange()
        change.mode = 0o700
        try expect(tree.change(old, change).mode & 0o777 == 0o700)
        var listed = 0
        try tree.list(old, from: 0, isCounting: false) { (_) throws(FSError) in
            listed += 1
            return true
        }
        #expect(listed == 2, "`.` and `..`")
        try expect(Array("x".utf8).withUnsafeBytes { try tree.lookup($0, in: old) } == nil)
        tree.forget(old, 1)
        for _ in 0..<2 {
            try expect(tree.names("d") == ["below"])
            try expect(tree.contents("d/below") == "3")
            try expect(tree.stat("d")?.ino == ino)
            try expect(tree.stat("full") == nil)
            try expect(orphans(fixture) == 0)
            try remount(fixture, &tree)
        }
    }

    @Test func `is all that a directory renamed to a deleted one's name shows`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        try tree.unlink("full/below")
        try tree.rmdir("full")
        try tree.rename("d", to: "full")
        try tree.mkdir("d")
        for _ in 0..<2 {
            try expect(tree.names("full") == ["x", "y"])
            try expect(tree.names("d") == [])
            try remount(fixture, &tree)
        }
    }

    @Test func `gets a name by a link when the known one is gone and another is not known`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        try tree.touch("a")
        try tree.write("a", "text")
        try tree.link("a", as: "b")
        try remount(fixture, &tree)
        let id = try tree.id("a")
        try tree.unlink("a")
        try expect(tree.attributes(of: id).nlink == 1)
        _ = try Array("c".utf8).withUnsafeBytes { try tree.link(id, as: $0, in: NodeID.root) }
        for _ in 0..<2 {
            try expect(tree.stat("c")?.nlink == 2)
            try expect(tree.contents("c") == "text")
            try expect(tree.contents("b") == "text")
            try expect(tree.id("b") == tree.id("c"))
            try remount(fixture, &tree)
        }
        // What has no name at all gets none, as on ext4.
        try tree.touch("z")
        let gone = try tree.id("z")
        try tree.unlink("z")
        let result = errno {
            _ = try Array("e".utf8).withUnsafeBytes { try tree.link(gone, as: $0, in: NodeID.root) }
        }
        #expect(result == ENOENT)
    }

    @Test func `has its data when it is first asked for after the name is gone`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        for name in ["a", "b"] {
            try tree.touch(name)
            try tree.write(name, "contents")
        }
        // Nothing of it is open.
        try remount(fixture, &tree)
        let (read, written) = try (tree.id("a"), tree.id("b"))
        try tree.unlink("a")
        try tree.touch("c")
        try tree.rename("c", to: "b")
        #expect(tree.mayGainRoom(within: .max))
        var change = AttributeChange()
        change.mode = 0
        for id in [read, written] {
            try expect(tree.attributes(of: id).nlink == 0)
            try expect(tree.change(id, change).mode & 0o777 == 0)
            try Array("v".utf8).withUnsafeBytes { try tree.setXattr("user.x", of: id, to: $0, flags: 0) }
            try expect(tree.xattr("user.x", of: id) == Array("v".utf8))
        }
        try expect(contents(tree, read) == "contents")
        try write(tree, written, "CON")
        try expect(contents(tree, written) == "CONtents")
        change = AttributeChange()
        change.size = 4
        try expect(tree.change(written, change).size == 4)
        try tree.synchronize(written, dataOnly: false)
        try expect(contents(tree, written) == "CONt")
        tree.forget(read, 1)
        tree.forget(written, 1)
        #expect(!tree.mayGainRoom(within: .max))
        try expect(orphans(fixture) == 0)
    }

    /// More than are kept open, in an order in which the longest unused one is wanted next.
    @Test func `is found in more directories than are open`() throws {
        let fixture = try fixture()
        let tree = try fixture.union()
        for number in 0..<120 {
            try tree.mkdir("d\(number)")
            try tree.touch("d\(number)/f")
        }
        for round in 0..<3 {
            for number in 0..<120 { try tree.write("d\(number)/f", "\(round) \(1000 + number)") }
            for number in 0..<120 {
                try expect(tree.contents("d\(number)/f") == "\(round) \(1000 + number)")
                try expect(tree.stat("d\(number)")?.nlink == 2)
            }
            // One that is open goes somewhere else, and another comes to its place.
            try tree.rename("d\(round)", to: "moved")
            try tree.rename("d\(119 - round)", to: "d\(round)")
            try tree.rename("moved", to: "d\(119 - round)")
            try expect(tree.contents("d\(round)/f") == "\(round) \(1119 - round)")
        }
        for number in 0..<120 {
            try tree.unlink("d\(number)/f")
            try tree.rmdir("d\(number)")
        }
        try tree.mkdir("d7")
        try expect(tree.names("d7") == [])
    }
}
