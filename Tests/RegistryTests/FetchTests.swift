import ContainerFixtures
import Foundation
import Glibc
import ImageFixtures
import Linux
import OCI
import Synchronization
import SystemPackage
import Tar
import Testing

/// `ADD` of URLs, and contexts that are one: from scratch, so that nothing is mounted.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `What a build fetches` {
    private let mica: PullFixture
    private var context: FilePath { mica.directory.path.appending("context") }
    private var output: FilePath { mica.directory.path.appending("out") }

    init() throws {
        mica = try PullFixture()
        try mica.directory.path.appending("context").makeDirectories()
    }

    private func build(
        _ dockerfile: String,
        _ options: [String] = [],
        _ environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String, error: String) {
        try mica.directory.write("context/Dockerfile", Array(dockerfile.utf8))
        var mica = mica
        mica.environment.merge(environment) { $1 }
        return try mica.run(["build", "--progress", "plain"] + options + [context.string])
    }

    /// What the image has, written to a directory.
    private func tree(_ dockerfile: String, _ options: [String] = []) throws -> FilePath {
        let directory = output.appending(UUID().uuidString)
        let result = try build(dockerfile, ["-o", directory.string] + options)
        guard result.status == 0 else { throw Failure("the build failed: \(result.error)") }
        return directory
    }

    private func text(_ path: FilePath) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path.string)), as: UTF8.self)
    }

    /// What is left of it in the store's directory for what is under way.
    private var leftovers: [String] {
        ((try? mica.store.appending("tmp").names()) ?? []).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `has the name of its URL, the server's time, and the mode 600`() throws {
        let server = try OddServer { request in
            if request.path == "/old" { return .init(status: 302, headers: ["Location": "/dir/new"]) }
            return .init(
                headers: ["Last-Modified": "Tue, 03 Feb 2026 04:05:06 GMT"],
                body: Array(request.path.utf8)
            )
        }
        let tree = try tree(
            """
            FROM scratch
            ARG NAME=file
            ADD http://\(server.address)/dir/a%20$NAME?key=1#x http://\(server.address)/dir/other /in/
            ADD http://\(server.address)/dir/file /named
            ADD --chmod=755 http://\(server.address)/old /
            ADD http://\(server.address)/ /nameless/
            """
        )
        #expect(try text(tree.appending("in/a file")) == "/dir/a%20file")
        #expect(try text(tree.appending("in/other")) == "/dir/other")
        #expect(try text(tree.appending("named")) == "/dir/file")
        #expect(try text(tree.appending("old")) == "/dir/new")
        #expect(try text(tree.appending("nameless/__unnamed__")) == "/")
        let status = try tree.appending("named").status()
        #expect(status.st_mode & 0o7777 == 0o600)
        #expect(status.st_mtim.tv_sec == 1_770_091_506)
        #expect(try tree.appending("old").status().st_mode & 0o7777 == 0o755)
        #expect(leftovers == [])
    }

    @Test func `is the earlier one only where the server's tag says that it is the same`() throws {
        let state = Mutex((body: "one", tag: "\"1\""))
        let server = try OddServer { _ in
            state.withLock { .init(headers: ["ETag": $0.tag], body: Array($0.body.utf8)) }
        }
        let dockerfile = "FROM scratch\nADD http://\(server.address)/file /\n"
        func fetched(_ options: String...) throws -> String {
            try text(try tree(dockerfile, options).appending("file"))
        }
        #expect(try fetched() == "one")
        // The same tag for other bytes: they are not looked at, unless everything is to be new.
        state.withLock { $0.body = "two" }
        #expect(try fetched() == "one")
        #expect(try fetched("--no-cache") == "two")
        state.withLock { $0 = ("three", "\"3\"") }
        #expect(try fetched() == "three")
        // A weak tag says nothing of bytes.
        state.withLock { $0 = ("four", "W/\"4\"") }
        #expect(try fetched() == "four")
        state.withLock { $0.body = "five" }
        #expect(try fetched() == "five")
        let again = try build(dockerfile)
        #expect(again.status == 0 && again.error.contains("CACHED"), "\(again.error)")
    }

    @Test func `has the checksum that is given, and is not asked for again then`() throws {
        let body = Array("right".utf8)
        let server = try OddServer { _ in .init(body: body) }
        let right = "\(SHA256.digest(of: body))"
        let dockerfile = "FROM scratch\nADD --checksum=\(right) http://\(server.address)/file /\n"
        #expect(try text(try tree(dockerfile).appending("file")) == "right")
        let count = server.requests.count
        #expect(count > 0)
        #expect(try text(try tree(dockerfile).appending("file")) == "right")
        #expect(server.requests.count == count)
        let wrong = "sha256:\(String(repeating: "0", count: 64))"
        let result = try build(
            "FROM scratch\nADD --checksum=\(wrong) http://me:hidden@\(server.address)/file /\n",
            ["-q"]
        )
        #expect(result.status == 1)
        #expect(!result.error.contains("hidden"), "\(result.error)")
        #expect(result.error.contains("Dockerfile:2: "), "\(result.error)")
        #expect(result.error.contains(right) && result.error.contains(wrong), "\(result.error)")
        #expect(leftovers == [])
    }

    @Test func `is unpacked only where that is asked for`() throws {
        let archive = ArchiveFixture.gzip(try ArchiveFixture.layer(["one": "1"]))
        let server = try OddServer { _ in .init(body: archive) }
        let tree = try tree(
            """
            FROM scratch
            ADD http://\(server.address)/a.tgz /packed/
            ADD --unpack=true http://\(server.address)/a.tgz /unpacked/
            """
        )
        #expect(try tree.appending("packed/a.tgz").status().st_size == Int64(archive.count))
        #expect(try text(tree.appending("unpacked/d/one")) == "1")
    }

    /// Fails at the line, with these words, and leaves nothing.
    private func expectRefusal(
        _ words: String,
        _ environment: [String: String] = [:],
        from answer: OddServer.Answer
    ) throws {
        let server = try OddServer { _ in answer }
        let result = try build(
            "FROM scratch\nARG KEY\nADD http://me:$KEY@\(server.address)/file?key=$KEY /\n",
            ["--build-arg", "KEY=hidden"],
            environment
        )
        #expect(result.status == 1)
        #expect(result.error.contains("Dockerfile:3: "), "\(result.error)")
        #expect(!result.error.contains("hidden"), "\(result.error)")
        #expect(result.error.contains(words), "\(result.error)")
        #expect(leftovers == [])
    }

    @Test func `is refused at its line where the server has none, or sends in circles`() throws {
        try expectRefusal("its server answers 404", from: .init(status: 404, body: Array("nothing".utf8)))
        try expectRefusal("its server answers 404", from: .init(status: 404, body: [0], isEndless: true))
        try expectRefusal("its server answers 403", from: .init(status: 403))
        try expectRefusal("again and again", from: .init(status: 302, headers: ["Location": "/file"]))
        try expectRefusal(
            "can't be fetched",
            from: .init(status: 302, headers: ["Location": "file:///etc/passwd"])
        )
    }

    @Test func `is refused at its line where it ends too early, never comes, or never ends`() throws {
        try expectRefusal("5 times", from: .init(body: Array("half".utf8), length: 100))
        try expectRefusal(
            "5 times",
            ["MICA_REGISTRY_TIMEOUT": "1"],
            from: .init(body: Array("some".utf8), length: 100, stalls: true)
        )
        try expectRefusal(
            "more than 1048576 bytes",
            ["MICA_FETCH_LIMIT": "1m"],
            from: .init(body: Array(repeating: 0, count: 65536), isEndless: true)
        )
    }

    @Test func `is given up where the build is interrupted, and leaves nothing`() throws {
        let server = try OddServer { _ in .init(body: Array("some".utf8), length: 100, stalls: true) }
        let url = "http://\(server.address)/file"
        try mica.directory.write("context/Dockerfile", Array("FROM scratch\nADD \(url) /\n".utf8))
        for (number, context) in [context.string, url].enumerated() {
            let build = try mica.process(["build", context])
            (build.standardOutput, build.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
            try build.run()
            for _ in 0..<6000 where server.requests.count <= number { usleep(20_000) }
            #expect(server.requests.count > number)
            kill(build.processIdentifier, SIGINT)
            build.waitUntilExit()
            #expect(build.terminationReason == .uncaughtSignal && build.terminationStatus == SIGINT)
            #expect(leftovers == [])
        }
    }

    @Test func `is no git repository, and nothing that COPY takes`() throws {
        let url = "http://127.0.0.1:1/file"
        let cases = [
            ("ADD https://example.com/a/b.git#main /", "reads no git repositories"),
            ("ADD git@example.com:a/b.git /", "reads no git repositories"),
            ("COPY \(url) /", "source can't be a URL for COPY"),
            ("ADD --checksum=sha256:\(String(repeating: "0", count: 64)) Dockerfile /", "checksum requires"),
            ("ADD --checksum=sha512:00 \(url) /", "mica verifies sha256"),
        ]
        for (instruction, words) in cases {
            let result = try build("FROM scratch\n\(instruction)\n")
            #expect(result.status == 1, "\(instruction)")
            #expect(result.error.contains("Dockerfile:2: "), "\(result.error)")
            #expect(result.error.contains(words), "\(result.error)")
        }
    }

    @Test func `is a context, as a tar or as a Dockerfile`() throws {
        let dockerfile = Array("FROM scratch\nCOPY file /\n".utf8)
        let tar = try ArchiveFixture.tar([
            (TarEntry(path: Array("Dockerfile".utf8), kind: .file), dockerfile),
            (
                TarEntry(path: Array("other/Dockerfile".utf8), kind: .file),
                Array("FROM scratch\nLABEL a=b\n".utf8)
            ),
            (TarEntry(path: Array("file".utf8), kind: .file), Array("text".utf8)),
        ])
        let server = try OddServer { request in
            switch request.path {
            case "/context.tar.gz": .init(body: ArchiveFixture.gzip(tar))
            case "/context.tar": .init(body: tar)
            case "/Dockerfile": .init(body: Array("FROM scratch\nCOPY <<EOF /file\ntext\nEOF\n".utf8))
            default: .init(status: 404)
            }
        }
        for path in ["context.tar.gz", "context.tar", "Dockerfile"] {
            let directory = output.appending(path)
            let result = try mica("build", "-o", directory.string, "http://\(server.address)/\(path)")
            #expect(result.status == 0, "\(result.error)")
            let expected = path == "Dockerfile" ? "text\n" : "text"
            #expect(try text(directory.appending("file")) == expected)
        }
        let other = try mica(
            "build",
            "-f",
            "other/Dockerfile",
            "-t",
            "other",
            "http://\(server.address)/context.tar"
        )
        #expect(other.status == 0, "\(other.error)")
        let labels = try mica("inspect", "other").output.filter { $0 != " " }
        #expect(labels.contains("\"a\":\"b\""), "\(labels)")
        for (context, words) in [
            ("http://\(server.address)/none", "its server answers 404"),
            ("https://example.com/a/b.git", "is a git repository"),
        ] {
            let result = try mica("build", context)
            #expect(result.status != 0 && result.error.contains(words), "\(result.error)")
        }
        #expect(leftovers == [])
    }
}
