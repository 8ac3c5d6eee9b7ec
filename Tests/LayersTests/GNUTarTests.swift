import Digests
import Foundation
import Layers
import Linux
import SystemPackage
import Testing

/// Tars by GNU tar, in all its formats, must come back byte for byte and hold what it was given.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/tar"), "needs GNU tar")
)
struct `Tars by GNU tar` {
    @Test(arguments: [
        ["--format=v7"], ["--format=ustar"], ["--format=oldgnu"], ["--format=gnu"], ["--format=pax"],
        ["--format=gnu", "--sparse"], ["--format=pax", "--sparse", "--sparse-version=0.0"],
        ["--format=pax", "--sparse", "--sparse-version=0.1"],
        ["--format=pax", "--sparse", "--sparse-version=1.0"],
        ["--format=pax", "--xattrs"],
    ])
    func `come back`(_ options: [String]) throws {
        let store = try TestStore()
        let source = store.layout.root.appending("source")
        try Self.makeTree(source, format: options[0])
        let file = store.layout.root.appending("source.tar")
        try run(["/bin/tar", "--sort=name"] + options + ["-C", source.string, "-cf", file.string, "."])
        let bytes = try OwnedFD.open(file, 0).contents(limit: 1 << 30)
        let staged = try store.load(bytes)
        #expect(try store.export(staged.diffID) == bytes)

        let tree = try store.tree(staged.diffID)
        #expect(tree["sub/file"]?.content == Array("content\n".utf8))
        #expect(tree["sub/hard"]?.number == tree["sub/file"]?.number)
        #expect(tree["link"]?.target == "sub/file")
        var holes = [UInt8](repeating: 0, count: 3_000_000)
        holes.replaceSubrange(1_000_000..<1_000_004, with: Array("data".utf8))
        #expect(tree["sparse"]?.content == holes)
        #expect(tree["few-holes"]?.content == Array(holes[..<20_000]))
        if options.contains("--sparse") {
            let object = try #require(tree["sparse"]?.record)
            let index = try LayerIndex(store.layout.layer(staged.diffID).appending("index"), verifying: true)
            let status = try store.layout.object(index.object(Int(object.content)).digest).status()
            #expect(status.st_blocks * 512 < 100_000)
            // What stat(2) in a mount says, too: holes are not data.
            #expect(object.blocks * 512 < 100_000)
        }
        if options.contains("--xattrs") {
            #expect(try #require(tree["sub/file"]).record.xattrs != 0)
        }
    }

    private static func makeTree(_ root: FilePath, format: String) throws {
        // v7 has room for a hundred bytes, ustar for a hundred behind the last slash.
        let length = format.hasSuffix("v7") ? 40 : format.hasSuffix("ustar") ? 90 : 180
        let long = String(repeating: "n", count: length)
        try run([
            "/bin/sh", "-euc",
            """
            mkdir -p "$1/sub/deep/er" && cd "$1"
            echo content > sub/file; ln sub/file sub/hard; ln -s sub/file link; [ "$3" = --format=v7 ] || mkfifo fifo
            chmod 4711 sub/file; echo x > "$2"; mkdir -p "sub/$2"; echo y > "sub/$2/$2"
            truncate -s 3000000 sparse; printf data | dd of=sparse bs=1 seek=1000000 conv=notrunc 2>/dev/null
            truncate -s 20000 few-holes
            setfattr -n user.test -v value sub/file 2>/dev/null || true
            """,
            "sh", root.string, long, format,
        ])
    }
}

private func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: arguments[0])
    process.arguments = Array(arguments.dropFirst())
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
}
