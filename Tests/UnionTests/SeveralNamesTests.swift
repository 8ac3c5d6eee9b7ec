import Glibc
import Layers
import Linux
import Nodes
import SystemPackage
import Testing

import Union

/// Files of a lower with several names, as they are seen and when they are copied up.
@Suite(
    .timeLimit(.minutes(40)),
    Fixture.InBothForms(),
    .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root")
)
struct `A file with several names` {
    private func remount(_ fixture: Fixture, _ tree: inout UnionTree) throws {
        tree = try UnionTree(lower: tree.lower, upper: nil)
        tree = try fixture.union()
    }

    @Test func `is looked through once, however often it is looked up, and counted right`() throws {
        let fixture = try Fixture()
        let names = (0..<100).map { "d\($0 % 2)/n\($0)" }
        var root: [String: [String: Fixture.Item]] = ["d0": [:], "d1": [:]]
        for name in names {
            root[String(name.prefix(2))]?[String(name.dropFirst(3))] = .shared("k", contents: "many")
        }
        try fixture.add(root.mapValues { .directory($0) })
        let lower = CountingLower(try fixture.lower())
        var tree = try fixture.union(over: lower)
        func lookAtAll(_ names: some Sequence<String>, _ count: Int) throws {
            for name in names { try expect(tree.stat(name).map { Int($0.nlink) } == count) }
        }
        try lookAtAll(names, 100)
        let number = UInt32(truncatingIfNeeded: try tree.id(names[0]) - 1)
        #expect(lower.lookedAt(number) == 1)
        try tree.unlink(names[3])
        try tree.rename(names[5], to: "d0/other")
        // That one copied it up: all names.
        try lookAtAll(names.filter { ![names[3], names[5]].contains($0) } + ["d0/other"], 99)
        #expect(lower.lookedAt(number) <= 3)
        try remount(fixture, &tree)
        try expect(tree.stat("d0/other")?.nlink == 99)
    }

    @Test func `has those left that were not deleted, while it is the lower's`() throws {
        let fixture = try Fixture()
        var items: [String: Fixture.Item] = [:]
        for name in 0..<40 { items["n\(name)"] = .shared("k", contents: "many") }
        try fixture.add(["d": .directory(items), "empty": .directory([:])])
        let lower = CountingLower(try fixture.lower())
        let tree = try fixture.union(over: lower)
        for name in 0..<39 {
            try expect(tree.stat("d/n\(name)")?.nlink == UInt32(40 - name))
            try tree.unlink("d/n\(name)")
        }
        // One that is made again is another file.
        try tree.touch("d/n7")
        try expect(tree.stat("d/n39")?.nlink == 1)
        let number = UInt32(truncatingIfNeeded: try tree.id("d/n39") - 1)
        #expect(lower.lookedAt(number) == 1)
        try tree.rename("d", to: "e")
        try expect(tree.stat("e/n39")?.nlink == 1)
        try tree.write("e/n39", "M")
        try expect(tree.contents("e/n39") == "Many")
    }

    /// Another user's file stands for whatever makes one of the names fail.
    @Test func `is what it was under all of its names when it could not be copied up under one`() throws {
        let fixture = try Fixture()
        try fixture.add([
            "a": .directory(["1": .shared("k", contents: "shared")]),
            "b": .directory(["2": .shared("k", contents: "shared"), "x": .file("x")]),
            "c": .directory(["3": .shared("k", contents: "shared")]),
        ])
        var tree = try fixture.union()
        // The directories are in the upper, and read.
        for directory in ["a", "b", "c"] { try tree.touch("\(directory)/new") }
        let obstacle = fixture.upper.appending("b/2")
        try OwnedFD.open(obstacle, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).writeAll([1])
        for name in ["a/1", "b/2", "c/3"] {
            #expect(errno { try tree.write(name, "S") } == EEXIST)
        }
        try obstacle.unlink()
        try expect(fixture.directory.appending("work/links").names().isEmpty)
        for directory in ["a", "b", "c"] {
            try expect(fixture.upper.appending(directory).names().count == 1)
        }
        for name in ["a/1", "b/2", "c/3"] {
            try expect(tree.stat(name)?.nlink == 3)
            try expect(tree.contents(name) == "shared")
        }
        // And all of it can be done.
        try tree.unlink("a/1")
        try tree.rename("b/2", to: "b/4")
        try tree.write("c/3", "S")
        for _ in 0..<2 {
            for name in ["b/4", "c/3"] {
                try expect(tree.stat(name)?.nlink == 2)
                try expect(tree.contents(name) == "Shared")
            }
            try expect(tree.stat("a/1") == nil)
            try remount(fixture, &tree)
        }
    }
}
