import Glibc
import Layers
import Linux
import Nodes
import SystemPackage
import Testing
import Union

private let isRoot = geteuid() == 0

@Suite(
    .timeLimit(.minutes(40)),
    Fixture.InBothForms(),
    .enabled(if: isRoot, "whiteouts and trusted xattrs need root")
)
struct `The union` {
    private func fixture() throws -> Fixture {
        let fixture = try Fixture()
        try fixture.add(
            [
                "file": .file("contents", mode: 0o4755), "link": .symlink("file"), "device": .device(0x103),
                "d": .directory(["x": .file("1"), "y": .file("2"), "sub": .directory(["deep": .file("3")])]),
                "empty": .directory([:]),
                "h1": .shared("h", contents: "hard"), "h2": .shared("h", contents: "hard"),
                "e": .directory(["h3": .shared("h", contents: "hard")]),
            ],
            xattrs: ["user.x": [1, 2, 3], "trusted.overlay.opaque": [0x79]]
        )
        return fixture
    }

    /// The same must be there before and after a remount.
    private func both(_ fixture: Fixture, _ tree: inout UnionTree, _ check: (UnionTree) throws -> Void) throws
    {
        try check(tree)
        try remount(fixture, &tree)
        try check(tree)
    }

    private func remount(_ fixture: Fixture, _ tree: inout UnionTree) throws {
        // The old one must be gone before there can be a new one.
        tree = try UnionTree(lower: tree.lower, upper: nil)
        tree = try fixture.union()
    }

    @Test func `is refused to a second user of the same upper`() throws {
        let fixture = try fixture()
        let tree = try fixture.union()
        #expect(throws: Failure.self) { try fixture.union() }
        withExtendedLifetime(tree) {}
    }

    @Test func `copies a file up with all its attributes on the first write`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        let before = try #require(try tree.stat("file"))
        try tree.write("file", "C")
        try both(fixture, &tree) { tree in
            try expect(tree.contents("file") == "Contents")
            let after = try #require(try tree.stat("file"))
            #expect(after.ino == before.ino)
            #expect(after.mode & 0o777 == 0o755)
            try expect(tree.xattr("user.x", of: after.id) == [1, 2, 3])
            // An overlay's attribute in an image is data, and stays data.
            try expect(tree.xattr("trusted.overlay.opaque", of: after.id) == [0x79])
            #expect(Set(try tree.xattrs(of: after.id)) == ["user.x", "trusted.overlay.opaque"])
        }
    }

    @Test func `keeps times over a copy-up that changes the mode only, of the directory too`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        let directory = try #require(try tree.stat("d")).mtime
        var change = AttributeChange()
        change.mode = S_IFREG | 0o600
        _ = try tree.change(tree.id("d/x"), change)
        try both(fixture, &tree) { tree in
            let file = try #require(try tree.stat("d/x"))
            #expect(file.mode == S_IFREG | 0o600)
            #expect(file.mtime.seconds == 1_000_000_000)
            #expect(file.mtime.nanoseconds == 123_456_789)
            try expect(tree.stat("d")?.mtime.seconds == directory.seconds)
            try expect(tree.contents("d/x") == "1")
        }
    }

    @Test func `keeps all names of a file one file through a copy-up`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        try expect(tree.stat("h1")?.nlink == 3)
        try tree.write("h2", "HARD!")
        try both(fixture, &tree) { tree in
            for name in ["h1", "h2", "e/h3"] {
                try expect(tree.contents(name) == "HARD!")
                try expect(tree.stat(name)?.nlink == 3)
                try expect(tree.id(name) == tree.id("h1"))
            }
        }
        try tree.unlink("h1")
        try both(fixture, &tree) { tree in
            try expect(tree.stat("h2")?.nlink == 2)
            try expect(tree.contents("e/h3") == "HARD!")
        }
    }

    @Test func `counts down the links of a lower file whose names go`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        try tree.unlink("h1")
        try both(fixture, &tree) { tree in try expect(tree.stat("h2")?.nlink == 2) }
        try tree.write("h2", "x")
        try both(fixture, &tree) { tree in
            try expect(tree.stat("h2")?.nlink == 2)
            try expect(tree.contents("e/h3") == "xard")
            try expect(tree.stat("h1") == nil)
        }
    }

    @Test func `never shows what was deleted, whatever comes in its place`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        for name in ["d/x", "d/y", "d/sub/deep"] { try tree.unlink(name) }
        #expect(errno { try tree.rmdir("d") } == ENOTEMPTY)
        try tree.rmdir("d/sub")
        try tree.rmdir("d")
        try expect(tree.stat("d") == nil)
        try tree.mkdir("d")
        try both(fixture, &tree) { tree in try expect(tree.names("d") == []) }
        try tree.touch("d/y")
        try both(fixture, &tree) { tree in
            try expect(tree.names("d") == ["y"])
            try expect(tree.contents("d/y") == "")
        }
    }

    @Test func `renames a lower directory, and what was in it is found there only`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        let number = try tree.id("d")
        try tree.rename("d", to: "empty/moved")
        try both(fixture, &tree) { tree in
            try expect(tree.stat("d") == nil)
            try expect(tree.id("empty/moved") == number)
            try expect(tree.names("empty/moved") == ["sub", "x", "y"])
            try expect(tree.contents("empty/moved/sub/deep") == "3")
        }
        try tree.write("empty/moved/sub/deep", "THREE")
        try tree.mkdir("d")
        try tree.rename("empty/moved/sub", to: "d/sub")
        try both(fixture, &tree) { tree in
            try expect(tree.contents("d/sub/deep") == "THREE")
            try expect(tree.names("d") == ["sub"])
            try expect(tree.names("empty/moved") == ["x", "y"])
        }
    }

    @Test func `renames over what is there, and refuses what POSIX refuses`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        #expect(errno { try tree.rename("file", to: "d") } == EISDIR)
        #expect(errno { try tree.rename("d", to: "file") } == ENOTDIR)
        #expect(errno { try tree.rename("e", to: "d") } == ENOTEMPTY)
        #expect(errno { try tree.rename("file", to: "d/x", flags: Rename.noReplace) } == EEXIST)
        try tree.rename("file", to: "d/x")
        try tree.rename("d", to: "empty")
        try both(fixture, &tree) { tree in
            try expect(tree.contents("empty/x") == "contents")
            try expect(tree.stat("file") == nil)
            try expect(tree.stat("d") == nil)
        }
        try tree.unlink("link")
        try tree.rename("empty/y", to: "link", flags: Rename.noReplace)
        try both(fixture, &tree) { tree in try expect(tree.contents("link") == "2") }
    }

    @Test func `exchanges a directory and a file`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        try tree.rename("d", to: "file", flags: Rename.exchange)
        try both(fixture, &tree) { tree in
            try expect(tree.contents("d") == "contents")
            try expect(tree.names("file") == ["sub", "x", "y"])
        }
    }

    @Test func `serves an unlinked file as long as the kernel refers to it`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        try tree.touch("new")
        try tree.write("new", "still here")
        let made = try tree.id("new")
        let lower = try tree.id("d/x")
        try tree.unlink("new")
        try tree.unlink("d/x")
        var buffer = [UInt8](repeating: 0, count: 32)
        try expect(buffer.withUnsafeMutableBytes { try tree.read(made, into: $0, at: 0) } == 10)
        try expect(tree.attributes(of: made).nlink == 0)
        // A lower file that is written after it has lost its name.
        _ = try Array("late".utf8).withUnsafeBytes {
            try tree.write(lower, $0, at: 0, killsPrivileges: false)
        }
        try expect(buffer.withUnsafeMutableBytes { try tree.read(lower, into: $0, at: 0) } == 4)
        try expect(tree.stat("d/x") == nil)
        tree.forget(made, 10)
        tree.forget(lower, 10)
        try expect(fixture.directory.appending("work/orphans").names() == [])
        try both(fixture, &tree) { tree in try expect(tree.names("d") == ["sub", "y"]) }
    }

    @Test func `finishes the links of a copy-up that a crash interrupted`() throws {
        let fixture = try fixture()
        do {
            let tree = try fixture.union()
            try tree.write("h1", "HARD")
            // As if the daemon had died after the first of the three links.
            let upper = fixture.directory.appending("upper")
            let mark = try Xattr.get("trusted.overlay.mica.inode", at: upper.appending("h1")) ?? []
            let digits = mark.flatMap { [String($0 >> 4, radix: 16), String($0 & 15, radix: 16)] }
            let pending = fixture.directory.appending("work/links/\(digits.joined())")
            #expect(
                upper.appending("h1").withPlatformString { from in
                    pending.withPlatformString { Glibc.link(from, $0) }
                } == 0
            )
            try upper.appending("h2").unlink()
            try upper.appending("e/h3").unlink()
        }
        let tree = try fixture.union()
        for name in ["h1", "h2", "e/h3"] {
            try expect(tree.contents(name) == "HARD")
            try expect(tree.stat(name)?.nlink == 3)
        }
    }

    @Test func `lists a directory in pieces without losing or doubling what nobody touched`() throws {
        let fixture = try Fixture()
        try fixture.add([
            "d": .directory(Dictionary(uniqueKeysWithValues: (0..<200).map { ("low\($0)", .file("")) }))
        ])
        let tree = try fixture.union()
        for number in 0..<100 { try tree.touch("d/up\(number)") }
        let directory = try tree.id("d")
        var seen: [String] = []
        var position: UInt64 = 0
        var step = 0
        while true {
            var count = 0
            try tree.list(directory, from: position, isCounting: false) { (entry) throws(FSError) in
                guard count < 7 else { return false }
                seen.append(String(decoding: entry.name, as: UTF8.self))
                position = entry.next
                count += 1
                return true
            }
            if count == 0 { break }
            // A reader that others keep feeding would never come to an end.
            guard step < 60 else { continue }
            // Another operation is under way meanwhile.
            try tree.touch("d/new\(step)")
            if step % 2 == 0 { try tree.unlink("d/low\(step)") } else { try tree.write("d/low\(step)", "x") }
            if step > 2 { try tree.unlink("d/new\(step - 2)") }
            step += 1
        }
        #expect(seen.count == Set(seen).count)
        let untouched = (100..<200).map { "low\($0)" } + (0..<100).map { "up\($0)" }
        #expect(Set(untouched).isSubset(of: seen))
    }

    @Test func `copies a file up once however many want it`() throws {
        let fixture = try Fixture()
        try fixture.add(["big": .file(String(repeating: "x", count: 60000))])
        var tree = try fixture.union()
        let id = try tree.id("big")
        let threads = try (0..<8).map { number in
            try WorkerThread { [tree] in
                let written = try? Array("\(number)".utf8).withUnsafeBytes {
                    try tree.write(id, $0, at: UInt64(number), killsPrivileges: false)
                }
                #expect(written == 1)
            }
        }
        for thread in threads { thread.join() }
        try both(fixture, &tree) { tree in try expect(tree.contents("big").hasPrefix("01234567xxx")) }
        #expect(
            Set(try fixture.directory.appending("work").names()) == [
                Array("orphans".utf8), Array("links".utf8),
            ]
        )
    }

    @Test func `keeps device numbers`() throws {
        let fixture = try fixture()
        var tree = try fixture.union()
        try tree.touch("zero", mode: S_IFCHR | 0o600, device: 0x105)
        try both(fixture, &tree) { tree in
            try expect(tree.stat("zero")?.rdev == 0x105)
            try expect(tree.stat("device")?.rdev == 0x103)
        }
    }
}
