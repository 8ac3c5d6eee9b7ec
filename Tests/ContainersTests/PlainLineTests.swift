import ContainerFixtures
import Foundation
import Layers
import Linux
import SystemPackage
import Testing

/// Command lines that mica takes apart itself, beside the same ones given to the parser: an option
/// that comes twice is its.
@Suite(
    "A plain command line",
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct PlainLineTests {
    let box: TestStore
    let mica: MicaCommand
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    /// The exit status, and both outputs in one.
    private func said(_ words: [String]) throws -> String {
        let process = mica.process(words)
        let output = Foundation.Pipe()
        (process.standardOutput, process.standardError) = (output, output)
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return "\(process.terminationStatus) \(text)"
    }

    @Test(arguments: [
        ["none", "/tmp"], ["--rw", "none", "/tmp"], ["none", "--rw", "/tmp"],
        ["none", "/tmp", "-o", "ro,noatime"],
        ["--rw", "--name", "key", "none", "/tmp"], ["--name", "key", "none", "/tmp"],
        ["-o", "name=key", "none", "/tmp"],
        ["-o", "rw", "-o", "bad", "none", "/tmp"], ["--rw", "--name", "-x", "none", "/tmp"], ["none"],
        ["a", "b", "c"],
        ["--name", "a", "--name", "b", "--rw", "none", "/tmp"], ["--rw=yes", "none", "/tmp"], ["", ""],
        ["none", "-o"],
        ["--help"], ["none", "/tmp", "--", "-o"], ["-", "/tmp"],
    ])
    func `of mount means what the parser says it means`(words: [String]) throws {
        let root = box.layout.root.string
        let plain = try said(["mount", "--root", root] + words)
        #expect(try plain == said(["mount", "--root", "/nowhere", "--root", root] + words))
        #expect(!plain.hasPrefix("0 ") || words == ["--help"])
    }

    @Test func `of exec means what the parser says it means`() throws {
        let root = box.layout.root.string
        try #expect(mica("run", "-d", "--name", "web", "box", "sleep", "1000").status == 0)
        let works = [
            ["web", "env"], ["-e", "A=1", "--env", "B=2", "-e", "FROM_HOST", "-e", "NO_SUCH", "web", "env"],
            ["-w", "/tmp", "web", "pwd"], ["--workdir", "/", "-w", "/bin", "web", "pwd"],
            ["-u", "5", "web", "id"], ["-u", "5", "--user", "6:7", "web", "id"],
            ["-i", "web", "cat"], ["--interactive", "-i", "web", "cat"],
            ["-t", "web", "tty"], ["--tty", "-t", "web", "tty"],
            ["web", "echo", "-n", "--", "-e", "x"], ["web", "echo", "--root", "x", "-i"],
        ]
        let fails = [
            ["-it", "web", "cat"], ["web", "sh", "-c", "exit 5"], ["web", "nothing"], ["web", "/etc"],
            ["web", "--", "echo", "x"], ["--", "web", "false"], ["web", "-e", "A=1", "env"],
            ["web"], [], ["nobody", "true"], ["-x", "web", "true"], ["-e"], ["-w", "-x", "web", "pwd"],
            ["-u=nobody-here", "web", "id"], ["-w", "relative", "web", "pwd"], ["", "true"], ["web", ""],
            ["-it"], ["-u", "web", "id"],
        ]
        for words in works + fails {
            let plain = try said(["exec", "--root", root] + words)
            #expect(try plain == said(["exec", "--root", "/nowhere", "--root", root] + words), "\(words)")
            #expect(plain.hasPrefix("0 ") == works.contains(words), "\(words): \(plain)")
        }
        try #expect(mica("rm", "-f", "web").status == 0)
        try #expect(box.isClean())
    }

    @Test func `of run means what the parser says it means`() throws {
        let root = box.layout.root.string
        let works = [
            ["--rm", "box", "true"], ["--rm", "-h", "here", "box", "hostname"],
            ["--rm", "--hostname", "a", "--hostname", "b", "box", "hostname"],
            [
                "--rm", "-h", "h", "-e", "A=1", "--env", "B=2", "-e", "FROM_HOST", "-e", "NO_SUCH", "box",
                "env",
            ],
            ["--rm", "-w", "/tmp", "box", "pwd"], ["--rm", "--workdir", "/", "-w", "/bin", "box", "pwd"],
            ["--rm", "-u", "5", "box", "id"], ["--rm", "-u", "5", "--user", "6:7", "box", "id"],
            ["--rm", "-i", "box", "cat"], ["--rm", "--rm", "--interactive", "-i", "box", "cat"],
            ["--rm", "-t", "box", "tty"], ["--rm", "-v", "/:/host:ro", "box", "ls", "/host/etc/passwd"],
            ["--rm", "box", "echo", "-n", "--", "-e", "x"], ["--rm", "box", "echo", "--root", "x", "-i"],
            ["--rm", "--name", "a", "--name", "web", "box", "true"], ["--rm", "box"],
        ]
        let fails = [
            ["--rm", "-it", "box", "cat"], ["--rm", "box", "sh", "-c", "exit 5"], ["--rm", "box", "nothing"],
            ["--rm", "box", "/etc"], ["--rm", "box", "--", "true"], ["--rm", "box", "-e", "A=1", "env"],
            ["--rm", "--", "box", "false"],
            [], ["--pull", "never", "no-such-image", "true"], ["-x", "box", "true"], ["-e"],
            ["-w", "-x", "box", "pwd"], ["--rm", "-u=nobody-here", "box", "id"],
            ["--rm", "-w", "relative", "box", "pwd"], ["", "true"], ["--rm", "box", ""], ["-it"],
            ["--rm", "-v", "relative", "box", "true"], ["-v", "::", "box", "true"],
            ["--rm", "--name", "/", "box", "true"], ["--rm", "-h", "", "box", "true"],
            ["--network", "nowhere", "box", "true"], ["--rm=yes", "box", "true"],
        ]
        for words in works + fails {
            let plain = try said(["run", "--root", root] + words)
            #expect(try plain == said(["run", "--root", "/nowhere", "--root", root] + words), "\(words)")
            #expect(plain.hasPrefix("0 ") == works.contains(words), "\(words): \(plain)")
        }
        for (name, again) in [("plain", []), ("parsed", ["--root", "/nowhere"])] {
            let id = try said(["run"] + again + ["--root", root, "-d", "--name", name, "box", "true"])
            #expect(id.wholeMatch(of: /0 [0-9a-f]{64}\n/) != nil, "\(id)")
            try #expect(mica("rm", "-f", name).status == 0)
        }
        try #expect(box.isClean())
    }
}
