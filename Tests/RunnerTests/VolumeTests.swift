import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `Volumes` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    private func volume(_ destination: String, readOnly: Bool = false) -> Volume {
        Volume(source: root.outside.string, destination: destination, readOnly: readOnly)
    }

    @Test func `parse as docker's`() throws {
        try #expect(Volume(parsing: "/a:/b") == Volume(source: "/a", destination: "/b"))
        try #expect(Volume(parsing: "/a:/b:ro") == Volume(source: "/a", destination: "/b", readOnly: true))
        for text in ["/a", "a:/b", "/a:b", "/a:/b:rx", "/a:/", "/a:/b:ro:x", ""] {
            #expect(throws: Failure.self) { try Volume(parsing: text) }
        }
    }

    @Test func `are written through`() throws {
        let outcome = try root.shell("echo hi > /data/deep/f") { $0.volumes = [volume("/data/deep")] }
        #expect(outcome.status == 0)
        try #expect(String(contentsOfFile: root.outside.appending("f").string, encoding: .utf8) == "hi\n")
    }

    @Test func `can be read-only, with what is mounted below`() throws {
        let below = root.outside.appending("below")
        try below.makeDirectory()
        #expect(Glibc.mount("tmpfs", below.string, "tmpfs", 0, nil) == 0)
        defer { umount2(below.string, Int32(MNT_DETACH)) }
        let outcome = try root.shell("touch /data/x; touch /data/below/x") {
            $0.volumes = [volume("/data", readOnly: true)]
        }
        #expect(outcome.error.components(separatedBy: "Read-only file system").count == 3)
    }

    @Test func `are files over files and directories over directories`() throws {
        let file = root.path.appending("etc/passwd").string
        for (source, destination, what) in [
            (file, "/tmp", "file"), (root.outside.string, "/etc/passwd", "directory"),
        ] {
            let failure = try #require(throws: Failure.self) {
                try root.shell("true") { $0.volumes = [Volume(source: source, destination: destination)] }
            }
            #expect(failure.message.hasPrefix("mount a \(what) over the "))
            #expect(failure.message.contains(destination))
        }
    }

    @Test func `may be files`() throws {
        let file = root.outside.appending("file")
        try Data("content".utf8).write(to: URL(fileURLWithPath: file.string))
        let outcome = try root.shell("cat /etc/app/conf") {
            $0.volumes = [Volume(source: file.string, destination: "/etc/app/conf")]
        }
        #expect(outcome.output == "content")
    }

    @Test func `nest in whatever order they were given`() throws {
        let inner = root.base.appending("inner")
        try inner.makeDirectory()
        let outcome = try root.shell("touch /a/b/here") {
            $0.volumes = [Volume(source: inner.string, destination: "/a/b"), volume("/a")]
        }
        #expect(outcome.status == 0)
        #expect(inner.appending("here").exists)
    }

    @Test func `make no device usable`() throws {
        let outcome = try root.shell("mknod /data/null c 1 3 && cat /data/null") {
            $0.volumes = [volume("/data")]
        }
        #expect(outcome.error.contains("Permission denied"))
        // Nor does the next container have it as a volume.
        let node = Volume(source: root.outside.appending("null").string, destination: "/made")
        #expect(try root.shell("cat /made") { $0.volumes = [node] }.error.contains("Permission denied"))
    }

    /// A container may make the link, too.
    @Test(arguments: ["/dev/zero", "/dev/../dev/zero", "/dev/./zero"])
    func `are no devices where a link leads to one`(_ target: String) throws {
        symlink(target, root.outside.appending("link").string)
        let link = Volume(source: root.outside.appending("link").string, destination: "/made")
        #expect(try root.shell("head -c 1 /made") { $0.volumes = [link] }.error.contains("Permission denied"))
    }

    @Test func `may be a device of the host's`() throws {
        let zero = Volume(source: "/dev/zero", destination: "/made")
        #expect(try root.shell("head -c 3 /made | wc -c") { $0.volumes = [zero] }.output == "3\n")
    }
}

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `A hostile root` {
    let root: TestRoot
    let canary: FilePath
    init() throws {
        root = try TestRoot()
        canary = root.outside.appending("canary")
        try Data("alive".utf8).write(to: URL(fileURLWithPath: canary.string))
    }

    private func untouched() throws -> Bool {
        let text = try String(contentsOfFile: canary.string, encoding: .utf8)
        return try text == "alive" && root.outside.names().count == 1
    }

    @Test(arguments: ["proc", "sys", "dev"]) func `can't send a mount of ours elsewhere`(_ name: String)
        throws
    {
        symlink("/tmp", root.path.appending(name).string)
        let failure = try #require(throws: Failure.self) { try root.run(["true"]) }
        #expect(failure.exitCode == 125)
        #expect(failure.message.contains("/\(name)"))
        try #expect(root.path.appending("tmp").names().isEmpty)
    }

    @Test func `keeps a bound file inside when its place is a link out`() throws {
        for (number, target) in ["\(canary)", "../../outside/canary", "../../outside/new"].enumerated() {
            let link = root.path.appending("etc/link\(number)")
            symlink(target, link.string)
            let source = root.base.appending("source")
            try Data("bound".utf8).write(to: URL(fileURLWithPath: source.string))
            let outcome = try root.shell(
                "cat /etc/link\(number)",
                files: [Volume(source: source.string, destination: "/etc/link\(number)")]
            )
            #expect(outcome.output == "bound")
            try #expect(untouched())
        }
    }

    @Test func `keeps a volume inside when its way leads out`() throws {
        let data = root.base.appending("data")
        try data.makeDirectory()
        symlink("\(root.outside)", root.path.appending("abs").string)
        symlink("../outside", root.path.appending("rel").string)
        for destination in ["/abs/v", "/rel/v", "/rel/../v", "/../../outside/v"] {
            let outcome = try root.shell("touch \(destination)/x && echo in") {
                $0.volumes = [Volume(source: data.string, destination: destination)]
            }
            #expect(outcome.output == "in\n", "\(destination)")
            try #expect(untouched())
        }
    }

    @Test func `can't make links without end`() throws {
        symlink("b", root.path.appending("a").string)
        symlink("a", root.path.appending("b").string)
        let failure = try #require(throws: Failure.self) {
            try root.run(["true"]) { $0.volumes = [Volume(source: "/tmp", destination: "/a/x")] }
        }
        #expect(failure.exitCode == 125)
    }

    @Test func `can't have its working directory made outside`() throws {
        symlink("\(root.outside)", root.path.appending("out").string)
        _ = try root.run(["true"]) { $0.process.directory = "/out/work" }
        try #expect(untouched())
    }
}
