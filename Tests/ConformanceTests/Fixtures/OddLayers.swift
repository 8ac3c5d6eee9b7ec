import Testing

/// Layers as real tools write them, and as none should: what each stack is, and what becomes of it.
struct OddLayers: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        /// The tree that `umoci unpack` makes.
        case asUmoci
        /// Refused by mica, with these words; docs/IMAGES.md says why.
        case refused(String)
        /// Taken, though umoci refuses it or makes another tree of it: some paths, and the text of the files there
        /// (nil: no such path; "/": a directory). docs/IMAGES.md says why.
        case tree([String: String?])
    }

    let what: String
    /// The layers, bottom first.
    let tars: [[UInt8]]
    var outcome = Outcome.asUmoci

    var testDescription: String { what }

    init(_ what: String, _ layers: Layer..., outcome: Outcome = .asUmoci) {
        (self.what, self.tars, self.outcome) = (what, layers.map(\.tar), outcome)
    }

    init(_ what: String, tars: [UInt8]..., outcome: Outcome = .asUmoci) {
        (self.what, self.tars, self.outcome) = (what, tars, outcome)
    }

    static let all: [OddLayers] = links + hardLinks + names + hiding + kinds + headers + records + archives

    private static let merged: Layer = [
        .directory("usr"), .directory("usr/lib", 0o711).owned(by: 5, 6), .file("usr/lib/old", "old"),
        .symlink("lib", to: "usr/lib"),
    ]

    private static let links: [OddLayers] = [
        OddLayers("a link, then something below it", merged + [.file("lib/a.so", "a")]),
        OddLayers("a link below", merged, [.file("lib/a.so", "a")]),
        OddLayers("a link below, something replaced", merged, [.file("lib/old", "new")]),
        OddLayers(
            "a link below, directories made",
            merged,
            [.directory("lib/x", 0o700), .file("lib/x/y", "y")]
        ),
        OddLayers("a link below, directories implied", merged, [.file("lib/x/y/z", "z")]),
        OddLayers(
            "a link below that a directory replaces",
            merged,
            [.directory("lib"), .file("lib/a.so", "a")]
        ),
        OddLayers(
            "a link below that a later layer changes",
            merged,
            [.file("lib/a", "a")],
            [.symlink("lib", to: "x")]
        ),
        OddLayers(
            "a link below that a later layer removes",
            merged,
            [.file("lib/a", "a")],
            [.whiteout("lib")]
        ),
        OddLayers(
            "a link below in a directory that a later layer removes",
            [.directory("usr"), .directory("usr/lib"), .directory("d"), .symlink("d/lib", to: "../usr/lib")],
            [.file("d/lib/a", "a")],
            [.whiteout("d")]
        ),
        OddLayers(
            "a link below in a directory that a later layer empties",
            [.directory("usr"), .directory("usr/lib"), .directory("d"), .symlink("d/lib", to: "../usr/lib")],
            [.file("d/lib/a", "a")],
            [.directory("d"), .opaque("d")]
        ),
        OddLayers(
            "an absolute link",
            [.directory("r"), .symlink("l", to: "/r"), .file("l/x", "x")],
            [.file("l/y", "y")]
        ),
        OddLayers(
            "a link that climbs out",
            [.directory("etc"), .symlink("l", to: "../../../etc"), .file("l/x", "x")],
            [.file("l/y", "y")]
        ),
        OddLayers(
            "an absolute link that climbs out",
            [.directory("etc"), .directory("d"), .symlink("d/l", to: "/../etc"), .file("d/l/x", "x")]
        ),
        OddLayers(
            "links to links",
            [
                .directory("r"), .symlink("a", to: "b"), .symlink("b", to: "c"), .symlink("c", to: "r"),
                .file("a/x", "x"),
            ],
            [.file("b/y", "y"), .file("c/z", "z")]
        ),
        OddLayers(
            "fifty links to links",
            [.directory("r"), .symlink("l0", to: "r")]
                + (1..<50).map { .symlink(Path(Array("l\($0)".utf8)), to: "l\($0 - 1)") } + [
                    .file("l49/x", "x")
                ],
            [.file("l49/y", "y")]
        ),
        OddLayers("a link to nothing", [.symlink("l", to: "not/yet"), .file("l/x", "x")]),
        OddLayers("a link to nothing below", [.symlink("l", to: "not/yet")], [.file("l/x", "x")]),
        OddLayers(
            "a link to a directory below",
            Array(merged[..<3]),
            [.symlink("lib", to: "usr/lib"), .file("lib/a", "a")]
        ),
        OddLayers(
            "a link that is replaced on the way",
            [
                .directory("a"), .directory("b"), .symlink("l", to: "a"), .file("l/x", "x"),
                .symlink("l", to: "b"),
            ]
                + [.file("l/y", "y")]
        ),
        OddLayers(
            "a link that becomes a directory",
            [.directory("a"), .symlink("l", to: "a"), .file("l/x", "x"), .directory("l"), .file("l/y", "y")]
        ),
        OddLayers(
            "a directory that becomes a link",
            [.directory("a"), .directory("l"), .file("l/x", "x"), .symlink("l", to: "a"), .file("l/y", "y")]
        ),
        OddLayers(
            "a link over one below",
            merged,
            [.directory("p"), .symlink("lib", to: "p"), .file("lib/x", "x")]
        ),
        OddLayers("a link through a link", merged, [.symlink("lib/s", to: "q"), .file("lib/s/x", "x")]),
        OddLayers(
            "a link through a link, up by what the layer calls the directory",
            merged,
            [.symlink("lib/s", to: "../q"), .file("lib/s/x", "x")],
            outcome: .tree(["q/x": "x", "usr/q": nil])
        ),
        OddLayers(
            "a tree of pnpm's",
            [
                .directory("n"), .directory("n/.pnpm"), .directory("n/.pnpm/a@1"),
                .directory("n/.pnpm/a@1/n"),
                .directory("n/.pnpm/a@1/n/a"), .symlink("n/a", to: ".pnpm/a@1/n/a"), .file("n/a/i.js", "i"),
            ],
            [.file("n/a/j.js", "j"), .directory("n/a/lib"), .hardLink("n/a/lib/k.js", to: "n/a/j.js")]
        ),
        OddLayers("a whiteout through a link", merged, [.whiteout("lib/old")]),
        OddLayers("an opaque mark through a link", merged, [.opaque("lib"), .file("lib/new", "new")]),
        OddLayers("a whiteout of a link", merged, [.whiteout("lib")]),
        OddLayers(
            "a whiteout of a link, then a directory there",
            merged,
            [.whiteout("lib"), .file("lib/x", "x")]
        ),
        OddLayers(
            "a link in a circle",
            [.symlink("l", to: "m"), .symlink("m", to: "l"), .file("l/x", "x")],
            outcome: .refused("too many symbolic links")
        ),
        OddLayers(
            "a link to a file",
            [.file("f", "f"), .symlink("l", to: "f"), .file("l/x", "x")],
            outcome: .refused("no directory")
        ),
        OddLayers(
            "a link in a circle below",
            [.symlink("l", to: "l")],
            [.file("l/x", "x")],
            outcome: .tree(["l": "/", "l/x": "x"])
        ),
        OddLayers(
            "a link to a file below",
            [.file("f", "f"), .symlink("l", to: "f")],
            [.file("l/x", "x")],
            outcome: .tree(["f": "f", "l": "/", "l/x": "x"])
        ),
    ]

    private static let hardLinks: [OddLayers] = [
        OddLayers(
            "a hard link through a link",
            merged + [.file("usr/lib/a", "a"), .hardLink("b", to: "lib/a")]
        ),
        OddLayers(
            "a hard link through a link below",
            merged,
            [.file("usr/lib/a", "a"), .hardLink("b", to: "lib/a")]
        ),
        OddLayers(
            "a hard link to what came through a link below",
            merged,
            [.file("lib/a", "a"), .hardLink("b", to: "usr/lib/a")]
        ),
        OddLayers(
            "a hard link on both sides of a link below",
            merged,
            [.file("lib/a", "a"), .hardLink("lib/b", to: "lib/a")]
        ),
        OddLayers(
            "a hard link to a file below",
            merged,
            [.hardLink("b", to: "usr/lib/old"), .hardLink("c", to: "b")]
        ),
        OddLayers(
            "a hard link to a link",
            [.file("f", "f"), .symlink("s", to: "f"), .hardLink("b", to: "s")]
        ),
        OddLayers(
            "a hard link to a link below",
            [.file("f", "f"), .symlink("s", to: "f")],
            [.hardLink("b", to: "s")]
        ),
        OddLayers(
            "a hard link over a directory",
            [.file("a", "a"), .directory("b"), .file("b/x", "x"), .hardLink("b", to: "a")]
        ),
        OddLayers(
            "a hard link to what is replaced",
            [.file("a", "1"), .hardLink("b", to: "a"), .file("a", "2")]
        ),
        OddLayers(
            "a hard link to nothing",
            [.hardLink("b", to: "nothing")],
            outcome: .refused("does not have before it")
        ),
        OddLayers(
            "a hard link to nothing below",
            merged,
            [.hardLink("b", to: "nothing")],
            outcome: .refused("which neither the layer nor those below it have")
        ),
        OddLayers(
            "a hard link to a directory",
            [.directory("d"), .hardLink("b", to: "d")],
            outcome: .refused("a hard link to the directory")
        ),
        OddLayers(
            "a hard link to itself",
            [.file("b", "b"), .hardLink("b", to: "b")],
            outcome: .tree(["b": "b"])
        ),
    ]

    private static let names: [OddLayers] = [
        OddLayers(
            "hard links by roundabout names",
            [
                .directory("d"), .file("d/f", "f"), .hardLink("a", to: "d/../d/f"),
                .hardLink("b", to: "./d//f"),
            ]
                + [.hardLink("c", to: "/d/f"), .hardLink("e", to: "/../d/f")]
        ),
        OddLayers(
            "roundabout names",
            [.directory("d"), .file("d/../x", "x"), .file("./y", "y"), .file("/z", "z"), .file("d//w", "w")]
                + [.file("no/../v", "v"), .file("/../u", "u"), .file("/d/../../t", "t")]
        ),
        OddLayers(
            "a name that leaves the layer",
            [.file("../x", "x")],
            outcome: .refused("leaves the layer")
        ),
        OddLayers(
            "a hard link that leaves the layer",
            [.file("f", "f"), .hardLink("b", to: "../../f")],
            outcome: .refused("leaves the layer")
        ),
        OddLayers("the root", [.directory("", 0o711).owned(by: 3, 4), .file("x", "x")], [.file("y", "y")]),
        OddLayers("a directory's dot", [.directory("a"), .directory("a/.", 0o700)]),
        OddLayers(
            "long names",
            [
                .file(Path(Array(repeating: 0x6e, count: 255)), "n"),
                .symlink("l", to: String(repeating: "x/", count: 2047)),
            ]
        ),
        OddLayers(
            "a name that is too long",
            [.file(Path(Array(repeating: 0x6e, count: 256)), "n")],
            outcome: .refused("has 256 bytes")
        ),
        OddLayers("names that are not UTF-8", [.file(Path([0x6e, 0xe4, 0xff]), "n"), .file("n\nn", "2")]),
        OddLayers(
            "the same name twice",
            [
                .file("a", "1"), .file("a", "22"), .directory("d", 0o700), .file("d/x", "x"),
                .directory("d", 0o711),
            ]
        ),
    ]

    private static let below: Layer = [
        .directory("e", 0o750).owned(by: 5, 6).with("user.x", [1]), .file("e/old", "old"),
        .directory("e/d", 0o701),
        .file("e/d/old", "old"),
    ]

    private static let hiding: [OddLayers] = [
        OddLayers("an opaque mark without its directory", below, [.opaque("e"), .file("e/new", "new")]),
        OddLayers(
            "an opaque mark after its directory's files",
            below,
            [.file("e/new", "new"), .opaque("e")]
        ),
        OddLayers("an opaque mark alone", below, [.opaque("e")]),
        OddLayers(
            "an opaque mark two layers down",
            below,
            [.opaque("e"), .file("e/mid", "m")],
            [.file("e/top", "t")]
        ),
        OddLayers("an opaque mark above new directories", below, [.opaque("e"), .file("e/d/new", "new")]),
        OddLayers(
            "an opaque mark in the root",
            [.directory("", 0o711).owned(by: 3, 4)] + below,
            [.opaque(""), .file("new", "n")]
        ),
        OddLayers(
            "an opaque mark with its directory",
            below,
            [.directory("e", 0o711), .opaque("e"), .file("e/new", "n")]
        ),
        OddLayers(
            "omitted directories",
            below,
            [.file("e/d/mid", "m")],
            [.file("e/top", "t"), .file("e/d/top", "t")]
        ),
        OddLayers(
            "omitted directories, mentioned afterwards",
            [.file("a/b/c", "c"), .directory("a", 0o700).owned(by: 1, 2)]
        ),
        OddLayers("a whiteout, then something there", below, [.whiteout("e"), .file("e/new", "new")]),
        OddLayers(
            "a whiteout, then a directory there",
            below,
            [.whiteout("e"), .directory("e", 0o711), .file("e/new", "n")]
        ),
        OddLayers(
            "a whiteout of what is in the layer",
            below,
            [.file("e/own", "own"), .whiteout("e/own"), .whiteout("e/d")]
        ),
        OddLayers("a whiteout of nothing", below, [.whiteout("nothing"), .whiteout("e/nothing")]),
        OddLayers("a whiteout in an omitted directory", below, [.whiteout("e/d/old")]),
        OddLayers("a whiteout that is a directory", below, [.directory("e/.wh.d")]),
        OddLayers("a whiteout that is a link", below, [.symlink("e/.wh.d", to: "x")]),
        OddLayers("a whiteout with something in it", below, [.file("e/.wh.d", "not empty")]),
        OddLayers(
            "a whiteout of no name",
            below,
            [.file("e/.wh.", "")],
            outcome: .refused("a whiteout that names nothing")
        ),
        OddLayers(
            "something below a whiteout",
            below,
            [.file("e/.wh.d/x", "")],
            outcome: .refused("is a whiteout")
        ),
        OddLayers(
            "what aufs kept",
            [
                .file(".wh..wh.aufs", ""), .directory(".wh..wh.plnk"), .file(".wh..wh.plnk/1.2", "q"),
                .hardLink("y", to: ".wh..wh.plnk/1.2"),
            ],
            outcome: .tree([".wh..wh.aufs": nil, ".wh..wh.plnk": nil, "y": "q"])
        ),
    ]

    private static let kinds: [OddLayers] = [
        OddLayers("a directory over a file", [.file("e", "e")], [.directory("e"), .file("e/x", "x")]),
        OddLayers(
            "a directory over a file over a directory",
            below,
            [.file("e", "e"), .directory("e"), .file("e/x", "x")]
        ),
        OddLayers("a file over a directory", below, [.file("e", "e")]),
        OddLayers("a link over a directory", below, [.symlink("e", to: "r")]),
        OddLayers("a directory over a link", merged, [.directory("lib", 0o700)]),
        OddLayers("a file over a link", merged, [.file("lib", "new")]),
        OddLayers(
            "a directory below a file",
            [.file("f", "f"), .file("f/x", "x")],
            outcome: .refused("no directory")
        ),
        OddLayers(
            "a directory below a file of a layer below",
            [.file("f", "f")],
            [.file("f/x", "x")],
            outcome: .tree(["f": "/", "f/x": "x"])
        ),
        OddLayers("no entries", [], [.file("x", "x")], []),
        OddLayers(
            "modes, owners, devices",
            [
                .file("s", "s", 0o4755).owned(by: 7, 8), .directory("t", 0o1777), .directory("g", 0o2775),
                .file("big", "b").owned(by: 2_000_000, 2_097_151),
                LayerEntry(path: "null", kind: .character(major: 1, minor: 3), mode: 0o666),
                LayerEntry(path: "disk", kind: .block(major: 259, minor: 70_000), mode: 0o660),
                LayerEntry(path: "pipe", kind: .fifo, mode: 0o620, uid: 9),
            ]
        ),
    ]
}
