import Digests
import Layers
import Linux
import SystemPackage
import Tar
import Testing

/// What layers are that say less than everything about the tree below them.
@Suite(.timeLimit(.minutes(40))) struct `Layers over one another` {
    private let store: TestStore

    init() throws { store = try TestStore() }

    /// Their tree, folded at once; the same bytes come of folding them one by one.
    private func fold(_ layers: [[Made]]) throws -> [String: Seen] {
        let diffIDs = try layers.enumerated().map { number, entries in
            let staged = try store.stage(tar(entries), standsAlone: number == 0)
            try staged.publish()
            return staged.diffID
        }
        let chains = ChainStore(layout: store.layout)
        let indexes = try diffIDs.map { try chains.layer($0) }
        let atOnce = store.layout.root.appending("at-once")
        try? atOnce.unlink()
        try ChainFold.fold(indexes).write(to: OwnedFD.open(atOnce, 0o301, mode: 0o600))
        for count in 1...diffIDs.count { _ = try chains.index(for: Array(diffIDs[..<count])) }
        let stepwise = try OwnedFD.open(chains.path(for: diffIDs), 0).contents(limit: 1 << 24)
        #expect(try OwnedFD.open(atOnce, 0).contents(limit: 1 << 24) == stepwise)
        return try store.tree(LayerIndex(atOnce, verifying: true))
    }

    private func directory(_ path: String, mode: UInt32, uid: UInt32, at seconds: Int64) -> Made {
        var made = Made.directory(path, mode: mode, xattrs: [.init(name: Array("user.x".utf8), value: [1])])
        made.entry.uid = uid
        made.entry.gid = uid + 1
        made.entry.modified = .init(seconds: seconds, nanoseconds: 5)
        return made
    }

    private func expectKept(_ seen: Seen?, _ location: SourceLocation = #_sourceLocation) {
        let record = seen?.record ?? InodeRecord()
        #expect(record.mode == 0o40750 && record.uid == 5 && record.gid == 6, sourceLocation: location)
        #expect(record.mtimeSeconds == 200 && record.mtimeNanoseconds == 5, sourceLocation: location)
        #expect(record.xattrs != 0, sourceLocation: location)
    }

    @Test func `leave mode, owner, time and attributes of a directory that a tar omits`() throws {
        let tree = try fold([
            ["etc", "var", "opt", "late"].flatMap {
                [directory($0, mode: 0o750, uid: 5, at: 200), .file("\($0)/old"), .file("\($0)/dir/old")]
            },
            [
                .file("etc/.wh..wh..opq"), .file("etc/new"), .file("var/new"), .file("opt/.wh.old"),
                .file("late/new"), .file("late/.wh..wh..opq"),
            ],
            [.file("etc/dir/newer")],
        ])
        for name in ["etc", "var", "opt", "late"] { expectKept(tree[name]) }
        #expect(tree["etc/old"] == nil && tree["etc/new"] != nil && tree["etc/dir/newer"] != nil)
        #expect(tree["etc/dir/old"] == nil && tree["late/old"] == nil && tree["late/dir"] == nil)
        #expect(tree["var/old"] != nil && tree["opt/old"] == nil && tree["opt/dir/old"] != nil)
    }

    @Test func `leave those of the root below an opaque mark`() throws {
        let tree = try fold([
            [directory("./", mode: 0o750, uid: 5, at: 200), .file("old")],
            [.file(".wh..wh..opq"), .file("new")],
        ])
        expectKept(tree["/"])
        #expect(tree["old"] == nil && tree["new"] != nil)
    }

    @Test func `make a directory new that a whiteout has hidden`() throws {
        let tree = try fold([
            [directory("e", mode: 0o750, uid: 5, at: 200), .file("e/old")], [.file(".wh.e"), .file("e/new")],
        ])
        #expect(tree["e"]?.record.mode == 0o40755 && tree["e"]?.record.uid == 0)
        #expect(tree["e/old"] == nil && tree["e/new"] != nil)
    }

    @Test func `go through symbolic links of those below`() throws {
        let tree = try fold([
            [
                directory("usr/lib", mode: 0o750, uid: 5, at: 200), .file("usr/lib/old", "1"),
                .file("usr/lib/gone"), .symlink("lib", "usr/lib"), .symlink("usr/lib64", "../lib"),
                .symlink("far", "/not/yet"),
            ],
            [
                .file("lib/a.so", "a"), .file("lib/old", "2"), .file("lib/.wh.gone"),
                .file("usr/lib64/b/c", "c"),
                .file("far/x", "x"),
            ],
            [
                .file("lib64/y"), .link("lib64/same", "lib64/y"), .symlink("lib64", "usr/lib64"),
                .file("lib64/z"),
            ],
        ])
        expectKept(tree["usr/lib"])
        #expect(tree["lib"]?.target == "usr/lib" && tree["usr/lib64"]?.target == "../lib")
        #expect(tree["usr/lib/a.so"]?.content == Array("a".utf8))
        #expect(tree["usr/lib/old"]?.content == Array("2".utf8))
        #expect(tree["usr/lib/gone"] == nil && tree["usr/lib/b/c"]?.content == Array("c".utf8))
        #expect(tree["not/yet/x"]?.content == Array("x".utf8))
        #expect(tree["usr/lib/z"] != nil && tree["lib64"]?.target == "usr/lib64")
    }

    /// The layer that hides the link is the third: what went through it is elsewhere already.
    @Test(arguments: [
        [Made.symlink("lib", "other")], [.file(".wh.lib")], [.file("lib")], [.directory("lib")],
        [.file(".wh..wh..opq"), .directory("usr"), .directory("usr/lib"), .file("usr/lib/a", "kept")],
    ]) func `have put something elsewhere before a later one hides the way there`(_ top: [Made]) throws {
        let tree = try fold([
            [.directory("usr/lib"), .symlink("lib", "usr/lib")], [.file("lib/a", "kept")], top,
        ])
        #expect(tree["usr/lib/a"]?.content == Array("kept".utf8))
        #expect(tree["lib"]?.target != "usr/lib")
    }

    @Test(arguments: [
        [Made.file(".wh.d")], [.directory("d"), .file("d/.wh..wh..opq")], [.file("d")],
    ]) func `have put something elsewhere before a later one hides the directory of the link`(_ top: [Made])
        throws
    {
        let tree = try fold([
            [.directory("usr/lib"), .directory("d"), .symlink("d/lib", "../usr/lib")],
            [.file("d/lib/a", "kept")], top,
        ])
        #expect(tree["usr/lib/a"]?.content == Array("kept".utf8))
        #expect(tree["d/lib"] == nil)
    }

    @Test func `empty the directory that a link leads to by an opaque mark`() throws {
        let tree = try fold([
            [directory("r", mode: 0o750, uid: 5, at: 200), .file("r/x"), .file("r/s/y"), .symlink("l", "r")],
            [.file("l/.wh..wh..opq"), .file("l/new"), .file("r/own")],
        ])
        expectKept(tree["r"])
        #expect(Set(tree.keys) == ["/", "l", "r", "r/new", "r/own"])
    }

    @Test(arguments: [
        [Made.symlink("l", "l")], [.symlink("l", "m"), .symlink("m", "l")], [.symlink("l", "f"), .file("f")],
        [.file("l")], [.symlink("l", String(repeating: "n", count: 300))],
    ]) func `put a directory in the place of what leads to none`(_ bottom: [Made]) throws {
        let tree = try fold([bottom, [.file("l/x", "x")]])
        #expect(tree["l"]?.kind == 4 && tree["l/x"]?.content == Array("x".utf8))
    }

    @Test func `have hard links to files of those below`() throws {
        let tree = try fold([
            [
                .directory("usr/lib"), .symlink("lib", "usr/lib"), .bytes("usr/lib/old", noise(100_000)),
                .symlink("sh", "bash"),
            ],
            [
                .link("one", "usr/lib/old"), .link("two", "lib/old"), .link("three", "one"),
                .link("bin", "sh"),
                .file("usr/lib/new", "new"), .link("new", "lib/new"), .file("lib/newer", "n"),
                .link("newer", "usr/lib/newer"),
            ],
        ])
        let old = tree["usr/lib/old"]
        #expect(old?.record.nlink == 4 && old?.content == noise(100_000))
        for name in ["one", "two", "three"] { #expect(tree[name]?.number == old?.number) }
        #expect(tree["bin"]?.target == "bash" && tree["bin"]?.number == tree["sh"]?.number)
        #expect(tree["new"]?.number == tree["usr/lib/new"]?.number)
        #expect(tree["newer"]?.number == tree["usr/lib/newer"]?.number)
    }

    @Test(arguments: ["nothing", "d", "d/nothing", "lib/nothing", "circle/x"])
    func `have no hard links to what nobody has`(_ target: String) throws {
        let failure = #expect(throws: Failure.self) {
            try fold([
                [.directory("d"), .symlink("lib", "d"), .symlink("circle", "circle")], [.link("l", target)],
            ])
        }
        #expect(failure?.message.contains("\"\(target)\"") == true, "\(failure?.message ?? "")")
    }

    @Test func `are refused where their links lead to more directories than anybody has`() throws {
        let deep = (0..<1000).map { "\($0)" }.joined(separator: "/")
        #expect(throws: Failure.self) {
            try fold([
                (0..<1100).map { .symlink("l\($0)", "t\($0)/\(deep)") }, (0..<1100).map { .file("l\($0)/x") },
            ])
        }
    }
}
