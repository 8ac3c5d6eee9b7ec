/// Three layers with everything a layer can hold and every way of hiding it.
enum TrickyLayers {
    static let all: [Layer] = [bottom, middle, top]

    /// Longer than a tar header's name field, and than the 100 bytes of its link field.
    private static let long = String(repeating: "long-", count: 40)
    private static let longest = String(repeating: "n", count: 255)
    private static let latin1 = Path([0x6e, 0xe4, 0x6d, 0x65, 0xff, 0xfe])
    private static let noise = [UInt8](
        (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 11) }
    )
    /// cap_net_raw=ep, as VFS_CAP_REVISION_2 stores it.
    private static let netRaw: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

    static let bottom: Layer = [
        .directory("", 0o755).at(1_400_000_000),
        .directory("etc").owned(by: 0, 0).at(1_400_000_001, 7),
        .file("etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
        .file("etc/shadow", "root:*:\n", 0o640).owned(by: 0, 42),
        .file("etc/empty", "").at(1, 1),
        .directory("bin"),
        .file("bin/su", "#!set-uid", 0o4755),
        .file("bin/wall", "#!set-gid", 0o2755).owned(by: 0, 5),
        LayerEntry(path: "bin/ping", kind: .file(Array("#!ping".utf8)), mode: 0o755)
            .with("security.capability", netRaw),
        .directory("tmp", 0o1777),
        .directory("home").with("trusted.note", [0, 1, 2, 255]),
        .directory("home/user", 0o700).owned(by: 1000, 1000).with("user.theme", Array("dark".utf8)),
        LayerEntry(path: "home/user/big", kind: .file(noise)).owned(by: 1000, 1000).with("user.empty", []),
        .file("home/user/same", String(repeating: "same content ", count: 900)),
        .file("home/user/same again", String(repeating: "same content ", count: 900)),
        LayerEntry(
            path: "home/user/holes",
            kind: .sparse(
                size: 3_000_001,
                data: [(4096, Array("first".utf8)), (1_048_576, noise), (2_999_990, Array("last".utf8))]
            )
        ),
        LayerEntry(path: "home/user/nothing", kind: .sparse(size: 1 << 20, data: [])),
        .directory("links"),
        .file("links/a", "three names\n").owned(by: 7, 8),
        .hardLink("links/b", to: "links/a"),
        .hardLink("etc/c", to: "links/a"),
        .symlink("links/relative", to: "../etc/passwd"),
        .symlink("links/absolute", to: "/etc/passwd"),
        .symlink("links/dangling", to: String(repeating: "no/", count: 60) + "where").owned(by: 3, 4),
        .symlink("links/loop", to: "loop"),
        .directory("dev"),
        LayerEntry(path: "dev/null", kind: .character(major: 1, minor: 3), mode: 0o666),
        LayerEntry(path: "dev/disk", kind: .block(major: 259, minor: 70_000), mode: 0o660, gid: 6),
        LayerEntry(path: "dev/pipe", kind: .fifo, mode: 0o620, uid: 9),
        .directory("names"),
        .file("names" / latin1, "not UTF-8\n"),
        .file("names" / Path(Array(longest.utf8)), "255 bytes\n"),
        .file("names/new\nline", "1"), .file("names/ leading", "2"), .file("names/-rf", "3"),
        .file("names/Ångström", "4"), .file("names/back\\slash", "5"),
        .file("names/a", "a"), .file("names/ab", "ab"), .file("names/a.", "a."), .file("names/A", "A"),
        .directory(Path(Array("names/\(long)".utf8))),
        .directory(Path(Array("names/\(long)/\(long)".utf8))),
        .file(Path(Array("names/\(long)/\(long)/deep".utf8)), "deep\n"),
        .hardLink("names/to deep", to: Path(Array("names/\(long)/\(long)/deep".utf8))),
        // Omitted parents.
        .file("implied/by/file", "0755 root\n"),
        // To be replaced or hidden above.
        .directory("kinds"), .directory("kinds/dir-file"), .file("kinds/dir-file/below", "x"),
        .file("kinds/file-dir", "x"), .directory("kinds/dir-link"), .file("kinds/dir-link/below", "x"),
        .symlink("kinds/link-dir", to: "../etc"), .symlink("kinds/link-file", to: "../etc/passwd"),
        .file("kinds/file-fifo", "x"), .directory("kinds/round"), .file("kinds/round/first", "x"),
        .directory("gone"), .file("gone/file", "x"), .directory("gone/dir"), .file("gone/dir/file", "x"),
        .directory("opaque").with("user.which", Array("bottom".utf8)), .file("opaque/hidden", "x"),
        .directory("opaque/dir"), .file("opaque/dir/hidden", "x"),
        .directory("remade"), .file("remade/old", "x"), .file("remade/kept name", "old"),
        .directory("merged", 0o711).at(1_400_000_100), .file("merged/one", "1"), .file("merged/two", "2"),
    ]

    static let middle: Layer = [
        .whiteout("gone/file"), .whiteout("gone/dir"), .whiteout("never/was"),
        .file("kinds/dir-file", "now a file"), .directory("kinds/file-dir", 0o750),
        .file("kinds/file-dir/in", "now a directory"), .symlink("kinds/dir-link", to: "file-dir"),
        .directory("kinds/link-dir"), .file("kinds/link-dir/in", "x"), .file("kinds/link-file", "plain"),
        LayerEntry(path: "kinds/file-fifo", kind: .fifo), .file("kinds/round", "a file between"),
        .file("opaque/new", "visible"), .opaque("opaque"), .directory("opaque", 0o705).at(1_450_000_000),
        // A whiteout never hides what its own layer holds, wherever it stands.
        .directory("remade", 0o770), .file("remade/new", "x"), .whiteout("remade"),
        .file("remade/kept name", "new"),
        .directory("merged", 0o715).owned(by: 1, 2).at(1_450_000_001, 5), .file("merged/three", "3"),
        .whiteout("merged/one"), .file("implied/by/other", "its parents are not mentioned"),
        .file("links/b", "alone now\n"),
        .file("etc/passwd", "root:x:0:0::/root:/bin/bash\n").at(1_450_000_002),
        .file("bin/su", "no longer set-uid", 0o755),
    ]

    static let top: Layer = [
        .file("merged/one", "back"), .whiteout("merged/three"), .directory("gone", 0o700),
        .file("gone/file", "back"), .directory("kinds/round"), .file("kinds/round/third", "x"),
        .directory("opaque/dir"), .file("opaque/dir/third", "x"),
        .hardLink("merged/same", to: "merged/one"), .whiteout("names/A"),
        .whiteout("links/relative"), .file("x" / Path([0x80]), "directory made by the way"),
    ]
}
