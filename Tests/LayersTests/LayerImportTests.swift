import Digests
import Layers
import Linux
import SystemPackage
import Tar
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40))) struct `Layer import` {
    @Test func `keeps attributes, contents and links, and gives the tar back`() throws {
        let store = try TestStore()
        let large = noise(3_000_000)
        let bytes = try tar([
            .directory("./etc/", mode: 0o750, xattrs: [.init(name: Array("user.x".utf8), value: [1, 0])]),
            .file("./etc/passwd", "root:x", mode: 0o4755),
            .link("etc/shadow", "./etc/passwd", mode: 0o4755),
            .link("/etc/third", "etc/shadow", mode: 0o4755),
            .symlink("sh", "/bin/sh"),
            .bytes("large", large),
            .bytes("again", large),
            .bytes("medium", Array(large[..<100_000])),
            Made(
                entry: TarEntry(
                    path: Array("tty".utf8),
                    kind: .characterDevice,
                    device: .init(major: 5, minor: 300)
                )
            ),
            Made(entry: TarEntry(path: Array("pipe".utf8), kind: .fifo)),
        ])
        let staged = try store.load(bytes)
        #expect(staged.diffID == SHA256.digest(of: bytes))
        #expect(staged.entries == 10)
        #expect(staged.tarSize == UInt64(bytes.count))
        #expect(staged.contentSize == 6_100_006)
        #expect(try store.export(staged.diffID) == bytes)

        let tree = try store.tree(staged.diffID)
        let passwd = try #require(tree["etc/passwd"])
        #expect(passwd.record.mode == 0o104755)
        #expect(passwd.record.nlink == 3)
        #expect(passwd.number == tree["etc/third"]?.number)
        #expect(passwd.content == Array("root:x".utf8))
        #expect(tree["sh"]?.target == "/bin/sh")
        #expect(tree["large"]?.content == large)
        #expect(tree["medium"]?.content == Array(large[..<100_000]))
        #expect(tree["tty"]?.record.rdev == 0x10052c)
        #expect(tree["pipe"]?.kind == 1)
        #expect(tree["/"]?.record.isImplied == true)
        #expect(try store.layout.tmp.names().isEmpty)
    }

    @Test func `stores equal contents once`() throws {
        let store = try TestStore()
        let (small, large) = (noise(5000), noise(200_000))
        let first = try store.load(
            tar((0..<20).map { .bytes("\($0)", small) } + [.bytes("a", large), .bytes("b", large)])
        )
        let pack = try store.layout.layer(first.diffID).appending("pack").status()
        #expect(pack.st_size == 5000)
        try store.load(tar([.bytes("c", large)]))
        #expect(try store.layout.objects.names().count == 1)
    }

    @Test func `lets later entries replace earlier ones`() throws {
        let store = try TestStore()
        let staged = try store.load(
            tar([
                .file("a", "1"), .file("a", "22"),
                .directory("d", mode: 0o700), .file("d/x", "x"), .directory("d", mode: 0o711),
                .directory("e"), .file("e/x", "x"), .file("e", "file now"),
                .file("f", "f"), .directory("f"), .file("f/x", "x"),
                .file("g", "g"), .link("h", "g"), .file("g", "new"),
            ])
        )
        let tree = try store.tree(staged.diffID)
        #expect(tree["a"]?.content == Array("22".utf8))
        #expect(tree["d"]?.record.mode == 0o40711 && tree["d/x"] != nil)
        #expect(tree["e"]?.kind == 8 && tree["e/x"] == nil)
        #expect(tree["f"]?.kind == 4 && tree["f/x"] != nil)
        #expect(tree["h"]?.content == [0x67] && tree["h"]?.record.nlink == 1)
        #expect(tree["g"]?.content == Array("new".utf8))
    }

    @Test func `creates omitted directories and marks them`() throws {
        let store = try TestStore()
        let tree = try store.tree(store.load(tar([.file("a/b/c"), .directory("a", mode: 0o700)])).diffID)
        #expect(tree["a"]?.record.isImplied == false && tree["a"]?.record.mode == 0o40700)
        #expect(tree["a/b"]?.record.isImplied == true && tree["a/b"]?.record.mode == 0o40755)
    }

    @Test func `turns whiteouts into entries that never hide their own layer's`() throws {
        let store = try TestStore()
        let tree = try store.tree(
            store.load(
                tar([
                    .file("d/new"), .file("d/.wh..wh..opq"),
                    .file(".wh.gone"), .file("kept", "k"), .file(".wh.kept"),
                    .file(".wh.dir"), .file("dir/x"),
                    .directory(".wh..wh.plnk"), .file(".wh..wh.plnk/1.2", "linked"),
                    .link("from-aufs", ".wh..wh.plnk/1.2"),
                ])
            ).diffID
        )
        #expect(tree["gone"]?.kind == 14)
        #expect(tree["kept"]?.content == Array("k".utf8))
        #expect(tree["d"]?.record.isOpaque == true && tree["d/new"] != nil)
        #expect(tree["dir"]?.record.isOpaque == true)
        #expect(tree["from-aufs"]?.content == Array("linked".utf8))
        #expect(!tree.keys.contains { $0.contains(".wh.") })
    }

    @Test func `puts what is below a symbolic link where the link leads, and never outside`() throws {
        let store = try TestStore()
        let bytes = try tar([
            .directory("usr/lib", mode: 0o711), .symlink("lib", "usr/lib"), .file("lib/a.so", "a"),
            .symlink("usr/up", "../../../etc"), .file("usr/up/x", "x"),
            .symlink("absolute", "/usr/./lib/../lib"), .directory("absolute/sub", mode: 0o700),
            .file("absolute/sub/y", "y"), .symlink("dangling", "not/yet"), .file("dangling/z", "z"),
            .link("hard", "lib/a.so"), .link("absolute/hard", "/dangling/../lib/a.so"),
            .file("replaced/gone"), .symlink("replaced", "etc"), .file("replaced/y", "y"),
            .symlink("replaced", "usr"), .file("replaced/w", "w"),
        ])
        let staged = try store.load(bytes)
        let tree = try store.tree(staged.diffID)
        #expect(tree["usr/lib/a.so"]?.record.nlink == 3)
        #expect(tree["hard"]?.number == tree["usr/lib/a.so"]?.number)
        #expect(tree["usr/lib/hard"]?.number == tree["usr/lib/a.so"]?.number)
        #expect(tree["usr/lib"]?.record.mode == 0o40711 && tree["lib"]?.target == "usr/lib")
        #expect(tree["etc/x"]?.content == Array("x".utf8) && tree["etc/y"]?.content == Array("y".utf8))
        #expect(tree["usr/lib/sub"]?.record.mode == 0o40700 && tree["usr/lib/sub/y"] != nil)
        #expect(tree["not/yet/z"]?.content == Array("z".utf8))
        #expect(tree["replaced"]?.target == "usr" && tree["usr/w"]?.content == Array("w".utf8))
        #expect(try store.export(staged.diffID) == bytes)
    }

    @Test func `takes dots and slashes in names as whoever cleans a path`() throws {
        let store = try TestStore()
        let tree = try store.tree(
            store.load(
                tar([
                    .directory("d"), .file("d/f", "f"), .file("d/../x"), .file("nowhere/.././/y"),
                    .file("/../z"),
                    .link("a", "d/../d/f"), .link("b", "/../d/./f"),
                ])
            ).diffID
        )
        #expect(Set(tree.keys) == ["/", "d", "d/f", "x", "y", "z", "a", "b"])
        #expect(tree["d/f"]?.record.nlink == 3)
    }

    @Test(arguments: [
        [Made.file("../x")], [.file("a/../../x")], [.file("..")],
        [.file(String(repeating: "n", count: 256))], [.file(String(repeating: "d/", count: 2100) + "x")],
        [.symlink("l", "l"), .file("l/x")], [.symlink("l", "m"), .symlink("m", "l"), .file("m/x")],
        [.file("f"), .symlink("l", "f"), .file("l/x")], [.symlink("l", ".wh.x"), .file("l/x")],
        [.symlink("l", String(repeating: "n", count: 256)), .file("l/x")], [.file("f"), .file("f/x")],
        [.link("l", "/")], [.link("l", "a/../../x")],
        [.link("l", "missing")], [.directory("d"), .link("l", "d")], [.link("l", "../x")], [.link("l", "l")],
        [.file(".wh.")], [.file("d/.wh..")], [.file(".wh.d/x")], [.file("./")], [.symlink("l", "")],
    ])
    func `refuses what is no tree`(_ entries: [Made]) throws {
        let store = try TestStore()
        let bytes = try tar(
            entries.map { made in
                // Our writer would not write a file without a name.
                made.entry.path == Array("./".utf8) ? Made(entry: TarEntry(path: [0x2e], kind: .fifo)) : made
            }
        )
        let failure = #expect(throws: Failure.self) { try store.load(bytes) }
        #expect(failure?.message.hasPrefix("test: entry ") == true, "\(failure?.message ?? "")")
        #expect(try store.leftovers() == 0)
    }

    @Test func `refuses wrong digests and sizes and leaves nothing`() throws {
        let store = try TestStore()
        let bytes = try tar([.bytes("x", noise(100_000))])
        let wrong = SHA256.digest(of: [1])
        for expectation in [
            Expectation(diffID: wrong), Expectation(blobDigest: wrong), Expectation(blobSize: 7),
            Expectation(blobSize: UInt64(bytes.count) + 1),
        ] {
            #expect(throws: Failure.self) { try store.load(bytes, expecting: expectation) }
        }
        #expect(try store.leftovers() == 0)
        let right = SHA256.digest(of: bytes)
        try store.load(
            bytes,
            expecting: Expectation(diffID: right, blobDigest: right, blobSize: UInt64(bytes.count))
        )
    }

    @Test func `takes a tar without an end marker only where a digest vouches for it`() throws {
        let store = try TestStore()
        let bytes = Array(try tar([.file("x")]).dropLast(1024))
        #expect(throws: Failure.self) { try store.load(bytes) }
        let staged = try store.load(bytes, expecting: Expectation(diffID: SHA256.digest(of: bytes)))
        #expect(try store.export(staged.diffID) == bytes)
    }

    @Test func `bounds what a tar can make it hold`() throws {
        let store = try TestStore()
        let entries: [Made] = (0..<50).map { .file("file-\($0)") }
        for limits in [
            ImportLimits(entries: 40, nameBytes: 1 << 20, xattrBytes: 1 << 20, fileSize: 1 << 20),
            ImportLimits(entries: 100, nameBytes: 200, xattrBytes: 1 << 20, fileSize: 1 << 20),
        ] {
            let failure = #expect(throws: Failure.self) { try store.stage(tar(entries), limits: limits) }
            #expect(failure?.advice?.contains("\(ImportLimits.variable)=") == true)
        }
    }

    @Test func `has limits that words can change`() throws {
        let standard = ImportLimits.standard
        #expect(standard.entries >= 2_000_000)
        var wanted = standard
        (wanted.entries, wanted.nameBytes) = (5_000_000, 3 << 20)
        #expect(try standard.changed(by: "entries=5000000,names=3m", from: "test") == wanted)
        #expect(try standard.changed(by: "", from: "test") == standard)
        wanted.xattrBytes = 1 << 10
        #expect(try wanted.changed(by: "xattrs=1k", from: "test") == wanted)
        for bad in [
            "entries", "entries=", "entries=0", "entries=-1", "names=5g", "names=x", "files=1", "xattrs=1kk",
        ] {
            let failure = #expect(throws: Failure.self) { try standard.changed(by: bad, from: "test") }
            #expect(failure?.description.contains(bad) == true)
        }
        // What they allow is taken.
        let store = try TestStore()
        let made = try tar((0..<50).map { .file("file-\($0)") })
        let few = try standard.changed(by: "entries=50", from: "test")
        #expect(throws: Failure.self) { try store.stage(made, limits: few) }
        let enough = try standard.changed(by: "entries=51", from: "test")
        try store.stage(made, limits: enough).discard()
    }

    @Test func `publishes twice what two have staged at once`() throws {
        let store = try TestStore()
        let bytes = try tar([.bytes("x", noise(100_000))])
        let (one, two) = (try store.stage(bytes), try store.stage(bytes))
        try one.publish()
        try two.publish()
        #expect(try store.export(one.diffID) == bytes)
        #expect(try store.layout.tmp.names().isEmpty)
        let discarded = try store.stage(bytes)
        discarded.discard()
        #expect(try store.layout.tmp.names().isEmpty)
    }

    @Test func `reads its index the same way every time`() throws {
        let bytes = try tar(
            (0..<200).map { .file("d\($0 % 7)/f\($0)", "\($0)") } + [.file("d1/.wh.b"), .file("d1/.wh.a")]
        )
        let indexes = try (0..<2).map { _ in
            let store = try TestStore()
            let path = store.layout.layer(try store.load(bytes).diffID).appending("index")
            return try OwnedFD.open(path, 0).contents(limit: 1 << 20)
        }
        #expect(indexes[0] == indexes[1])
    }
}
