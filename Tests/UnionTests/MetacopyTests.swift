import Glibc
import Layers
import Linux
import Nodes
import SystemPackage
import Testing
import Union

@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root"))
struct `A copy-up of attributes` {
    private static let mark: XattrName = "trusted.overlay.metacopy"
    /// Bytes of what it becomes when data is written.
    private static let partial = 3
    private static let redirect: XattrName = "trusted.overlay.redirect"

    private func fixture() throws -> Fixture {
        let fixture = try Fixture()
        try fixture.add(
            [
                "file": .file("contents"), "empty": .file(""),
                "d": .directory(["x": .file("1234"), "sub": .directory(["deep": .file("3")])]),
                "h1": .shared("h", contents: "hard"), "e": .directory(["h2": .shared("h", contents: "hard")]),
            ],
            xattrs: ["user.x": [1, 2, 3]]
        )
        return fixture
    }

    /// The old one must be gone before there can be a new one.
    private func remount(_ fixture: Fixture, _ tree: inout UnionTree) throws {
        tree.close()
        tree = try UnionTree(lower: tree.lower, upper: nil)
        try fixture.waitUntilFree()
        tree = try fixture.union(metacopy: true)
    }

    /// The same must be there before and after a remount.
    private func both(_ fixture: Fixture, _ tree: inout UnionTree, _ check: (UnionTree) throws -> Void) throws
    {
        try check(tree)
        try remount(fixture, &tree)
        try check(tree)
    }

    private func chown(_ path: String, _ uid: UInt32, in tree: UnionTree) throws {
        var change = AttributeChange()
        change.uid = uid
        _ = try tree.change(tree.id(path), change)
    }

    private func truncate(_ path: String, _ size: UInt64, in tree: UnionTree) throws {
        var change = AttributeChange()
        change.size = size
        _ = try tree.change(tree.id(path), change)
    }

    /// Bytes that a file in the upper holds.
    private func data(_ fixture: Fixture, _ path: String) throws -> Int {
        let fd = try OwnedFD.open(fixture.upper.pushing(FilePath(path)), O_RDONLY)
        return lseek(fd.raw, 0, SEEK_DATA) == -1 ? 0 : Int(try fd.status().st_size)
    }

    @Test func `copies no data, and nobody sees that`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        let before = try #require(try tree.stat("file"))
        try chown("file", 7, in: tree)
        try expect(fixture.upperXattr(Self.mark, of: "file") == [])
        try expect(fixture.upperXattr(Self.redirect, of: "file") == nil)
        try expect(data(fixture, "file") == 0)
        try both(fixture, &tree) { tree in
            let after = try #require(try tree.stat("file"))
            #expect(after.id == before.id)
            #expect(after.uid == 7)
            #expect(after.size == before.size)
            #expect(after.blocks == before.blocks)
            #expect(after.mtime.seconds == before.mtime.seconds)
            try expect(tree.contents("file") == "contents")
            try expect(tree.xattrs(of: after.id) == ["user.x"])
            try expect(tree.seek(after.id, offset: 2, whence: SEEK_DATA) == 2)
            try expect(tree.seek(after.id, offset: 0, whence: SEEK_HOLE) == 8)
        }
    }

    @Test func `copies all where it was not asked to leave the data`() throws {
        let fixture = try fixture()
        let tree = try fixture.union()
        try chown("file", 7, in: tree)
        try expect(fixture.upperXattr(Self.mark, of: "file") == nil)
        try expect(data(fixture, "file") == 8)
    }

    @Test func `gets data by the first write`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try chown("file", 7, in: tree)
        try tree.write("file", "C")
        try expect(fixture.upperXattr(Self.mark, of: "file")?.count == Self.partial)
        try both(fixture, &tree) { tree in
            try expect(tree.contents("file") == "Contents")
            try expect(tree.stat("file")?.uid == 7)
        }
        try chown("d/x", 7, in: tree)
        try remount(fixture, &tree)
        try tree.write("d/x", "z", at: 3)
        try expect(tree.contents("d/x") == "123z")
    }

    @Test(arguments: [0, 3, 8, 12] as [UInt64])
    func `keeps the data that stays after a truncation`(size: UInt64) throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try chown("file", 7, in: tree)
        try truncate("file", size, in: tree)
        try expect(fixture.upperXattr(Self.mark, of: "file")?.count == (size == 0 ? nil : Self.partial))
        try both(fixture, &tree) { tree in
            try expect(tree.contents("file") == String(("contents\0\0\0\0").prefix(Int(size))))
        }
    }

    @Test func `gets data by fallocate and copy_file_range, but not by being copied from`() throws {
        let fixture = try fixture()
        let tree = try fixture.union(metacopy: true)
        for path in ["file", "d/x", "h1"] { try chown(path, 7, in: tree) }
        let (file, x) = (try tree.id("file"), try tree.id("d/x"))
        _ = try tree.copyRange(from: file, at: 2, to: x, at: 1, count: 2, killsPrivileges: false)
        try expect(tree.contents("d/x") == "1nt4")
        try expect(fixture.upperXattr(Self.mark, of: "file") == [])
        try tree.allocate(
            tree.id("h1"),
            mode: 1,  // FALLOC_FL_KEEP_SIZE
            offset: 0,
            length: 4,
            killsPrivileges: false
        )
        try expect(fixture.upperXattr(Self.mark, of: "h1")?.count == Self.partial)
        try expect(tree.contents("e/h2") == "hard")
    }

    @Test func `is found again under other names and in other places`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try tree.rename("file", to: "d/sub/file")
        try tree.link("d/x", as: "x")
        try tree.rename("d", to: "moved")
        try expect(fixture.upperXattr(Self.redirect, of: "moved/sub/file") == Array("/file".utf8))
        try expect(fixture.upperXattr(Self.redirect, of: "x") == Array("/d/x".utf8))
        try both(fixture, &tree) { tree in
            try expect(tree.contents("moved/sub/file") == "contents")
            try expect(tree.contents("x") == "1234")
            try expect(tree.contents("moved/x") == "1234")
            try expect(tree.stat("x")?.nlink == 2)
        }
        try tree.write("x", "0")
        try both(fixture, &tree) { tree in
            try expect(tree.contents("moved/x") == "0234")
            try expect(tree.contents("x") == "0234")
        }
    }

    @Test func `keeps hard links one file, before and after the data comes`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try chown("h1", 7, in: tree)
        try both(fixture, &tree) { tree in
            try expect(tree.stat("h1")?.id == tree.stat("e/h2")?.id)
            try expect(tree.stat("e/h2")?.nlink == 2)
        }
        try tree.write("e/h2", "c")
        try both(fixture, &tree) { tree in try expect(tree.contents("h1") == "card") }
    }

    @Test func `reads the lower as long as the mark says so, whatever a crash left`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try chown("file", 7, in: tree)
        tree.close()
        tree = try UnionTree(lower: tree.lower, upper: nil)
        try OwnedFD.open(fixture.upper.appending("file"), O_WRONLY).writeAll(Array("con".utf8))
        try fixture.waitUntilFree()
        tree = try fixture.union(metacopy: true)
        try expect(tree.contents("file") == "contents")
        try tree.write("file", "!", at: 8)
        try expect(tree.contents("file") == "contents!")
    }

    @Test func `keeps times and capabilities when the data comes for a capability`() throws {
        let fixture = try fixture()
        let tree = try fixture.union(metacopy: true)
        try chown("file", 0, in: tree)
        let id = try tree.id("file")
        // VFS_CAP_REVISION_2 with CAP_NET_RAW permitted.
        let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        try capability.withUnsafeBytes { try tree.setXattr("security.capability", of: id, to: $0, flags: 0) }
        try expect(fixture.upperXattr(Self.mark, of: "file") == nil)
        try expect(tree.xattr("security.capability", of: id) == capability)
        try expect(tree.stat("file")?.mtime.seconds == 1_000_000_000)
        try expect(tree.contents("file") == "contents")
    }

    /// Here a file with a capability never goes without its data; the kernel's overlayfs leaves it behind, and takes
    /// the capability away when a process writes.
    @Test func `keeps a capability when another overlay's file gets its data`() throws {
        let fixture = try fixture()
        let file = fixture.upper.appending("file")
        // VFS_CAP_REVISION_2 with CAP_NET_RAW permitted.
        let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        do {
            try fixture.upper.makeDirectories()
            let fd = try OwnedFD.open(file, O_RDWR | O_CREAT, mode: 0o711)
            try fd.truncate(to: 8)
            try Xattr.set(Self.mark, [], of: fd)
            try Xattr.set("security.capability", capability, of: fd)
        }
        let tree = try fixture.union()
        try expect(tree.materialize { _ in } == 1)
        try expect(fixture.upperXattr(Self.mark, of: "file") == nil)
        try expect(fixture.upperXattr("security.capability", of: "file") == capability)
        try expect(data(fixture, "file") == 8)
        try expect(tree.contents("file") == "contents")
    }

    @Test func `reads what the kernel's overlayfs notes, and answers EIO where nothing is`() throws {
        let fixture = try fixture()
        try fixture.upper.appending("d").makeDirectories()
        for (path, redirect, size) in [
            ("same", "file", 8), ("d/other", "x", 4), ("absolute", "/d/sub/deep", 1), ("lost", "/gone", 5),
        ] {
            let file = fixture.upper.pushing(FilePath(path))
            let fd = try OwnedFD.open(file, O_RDWR | O_CREAT, mode: 0o600)
            try fd.truncate(to: UInt64(size))
            try Xattr.set(Self.mark, [], of: fd)
            try Xattr.set(Self.redirect, Array(redirect.utf8), of: fd)
        }
        try fixture.upper.appending("renamed").makeDirectories()
        try Xattr.set(Self.redirect, Array("e".utf8), at: fixture.upper.appending("renamed"))
        let tree = try fixture.union()
        try expect(tree.contents("same") == "contents")
        try expect(tree.contents("d/other") == "1234")
        try expect(tree.contents("absolute") == "3")
        try expect(tree.names("renamed") == ["h2"])
        #expect(errno { _ = try tree.contents("lost") } == EIO)
        #expect(errno { try tree.write("lost", "x") } == EIO)
    }
}
