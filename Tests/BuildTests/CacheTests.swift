import ContainerFixtures
import Foundation
import Linux
import SystemPackage
import Testing

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: BuildBox.isPossible, "mounts, and needs root, busybox-static and the built mica")
)
struct `Caches for other stores` {
    let box: BuildBox
    /// Of a store beside the box's, which has the same base.
    private let other: [String: String]

    init() throws {
        box = try BuildBox()
        other = ["MICA_ROOT": box.base.appending("other").string]
        let saved = box.base.appending("saved").string
        try box.mica("save", "-o", saved, "base:1")
        try box.run(box.program.path, ["load", "-i", saved], other)
    }

    private let random = "RUN head -c 16 /dev/urandom | od -x > /random\n"
    private var cache: FilePath { box.base.appending("cache") }
    private var to: String { "type=local,dest=\(cache)" }
    private var from: String { "type=local,src=\(cache)" }

    /// What a file of an image is, in the other store.
    private func text(_ image: String, _ path: String) throws -> String {
        try box.run(
            box.program.path,
            ["run", "--rm", "--entrypoint", "/bin/cat", image, path],
            other
        )
    }

    @Test func `give steps to builds that name them, and to no others`() throws {
        try box.write("file", "text")
        let dockerfile = "FROM base:1\nWORKDIR /a/b\nCOPY file ./\n" + random
        let first = try box.image(dockerfile, ["--cache-to", to, "-t", "first"])
        #expect(try box.image(dockerfile, ["--cache-from", from, "-t", "second"], other) == first)
        let made = try box.shell("first", "cat /random")
        #expect(try text("second", "/random") == made)
        // It was believed by the build that named it.
        try box.image(dockerfile, ["-t", "third"], other)
        #expect(try text("third", "/random") != made)
    }

    @Test func `have the image's steps, or all of them`() throws {
        let dockerfile = "FROM base:1 AS tool\n" + random + "FROM base:1\nCOPY --from=tool /random /copy\n"
        let first = try box.image(
            dockerfile,
            ["--cache-to", "\(to)-max,mode=max", "--cache-to", to, "-t", "first"]
        )
        let made = try box.shell(first, "cat /copy")
        try box.image(dockerfile, ["--cache-from", from, "-t", "min"], other)
        #expect(try text("min", "/copy") != made)
        try box.run(box.program.path, ["gc", "--build-cache"], other)
        try box.image(dockerfile, ["--cache-from", "\(from)-max", "-t", "max"], other)
        #expect(try text("max", "/copy") == made)
    }

    @Test func `are left alone with a warning where they are damaged, or something else`() throws {
        let dockerfile = "FROM base:1\n" + random
        func expectWarning(_ words: String, _ from: String) throws {
            let result = try box.build(dockerfile, ["--cache-from", from, "--progress", "plain"], other)
            #expect(result.status == 0, "\(result.error)")
            #expect(result.error.contains("warning: ") && result.error.contains(words), "\(result.error)")
            #expect(!result.error.contains("CACHED"), "\(result.error)")
            try box.run(box.program.path, ["gc", "--build-cache"], other)
        }
        try expectWarning("is not used", from)
        let image = try box.image(
            dockerfile,
            ["--cache-to", to, "--output", "type=oci,dest=\(box.base)/image.tar"]
        )
        try box.base.appending("image").makeDirectories()
        try box.run("/bin/tar", ["-C", "\(box.base)/image", "-xf", "\(box.base)/image.tar"])
        try expectWarning("is no cache", "type=local,src=\(box.base)/image")
        #expect(image.hasPrefix("sha256:"))
        // Each blob by itself.
        let blobs = cache.appending("blobs/sha256")
        for name in try blobs.names().map({ String(decoding: $0, as: UTF8.self) }) {
            let url = URL(fileURLWithPath: blobs.appending(name).string)
            let right = try Data(contentsOf: url)
            var wrong = right
            wrong[wrong.count / 2] ^= 1
            try wrong.write(to: url)
            try expectWarning("is not used", from)
            try right.write(to: url)
        }
        #expect(
            try box.build(dockerfile, ["--cache-from", from, "--progress", "plain"], other).error.contains(
                "CACHED"
            )
        )
    }

    @Test func `of other kinds are refused by name`() throws {
        for (option, words) in [
            ("--cache-to=type=inline", "there is no type \"inline\""),
            ("--cache-to=type=local", "dest=DIR is missing"),
            ("--cache-to=\(to),mode=most", "there is no mode \"most\""),
            ("--cache-to=\(to),compression=zstd", "compression is not known"),
            ("--cache-from=type=gha", "there is no type \"gha\""),
            ("--cache-from=\(from),mode=max", "mode is not known"),
        ] {
            let result = try box.build("FROM base:1\n", [option])
            #expect(result.status != 0 && result.error.contains(words), "\(result.error)")
        }
    }
}
