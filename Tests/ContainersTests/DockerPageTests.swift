import ContainerFixtures
import Foundation
import Layers
import Linux
import SystemPackage
import Testing

import Glibc

/// docs/docker.md against what the program does: every line is tried.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `docs/docker.md` {
    let box: TestStore
    let mica: MicaCommand

    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
        _ = try mica("run", "-d", "--name", "up", "box", "sleep", "1000")
        _ = try mica("run", "--name", "ended", "box", "echo", "hello")
    }

    private func shell(_ script: String) throws -> (status: Int32, error: String) {
        let process = mica.process([])
        process.environment?["MICA"] = mica.program.path
        process.environment?["HOME"] = "/root"
        process.currentDirectoryURL = URL(fileURLWithPath: box.root.outside.string)
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", "mkdir -p here; \(script)"]
        let error = box.root.base.appending("error").string
        guard FileManager.default.createFile(atPath: error, contents: nil),
            let file = FileHandle(forWritingAtPath: error)
        else { throw Errno.ioError }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = file
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOfFile: error, encoding: .utf8))
    }

    /// What a verb needs behind it to do something.
    private let arguments = [
        "commit": "ended made", "container inspect": "ended", "container logs": "ended",
        "container diff": "ended",
        "diff": "ended", "exec": "up true", "history": "box", "image inspect": "box", "image history": "box",
        "import": "root.tar made:1", "inspect": "ended", "kill": "-s CONT up", "load": "< in.tar",
        "logs": "ended",
        "rm": "gone", "rmi": "other", "run": "box true", "save": "box > out.tar", "stop": "ended",
        "tag": "box other", "create": "box", "start": "ended", "restart": "ended", "wait": "ended",
        "rename": "one two", "update": "-m 64m ended", "pause": "up", "unpause": "up",
        // What it does is tried with registries (RegistryTests).
        "pull": "--help", "login": "--help", "logout": "--help", "push": "--help",
        "search": "--help", "manifest inspect": "--help", "image prune": "-f",
        "system prune": "-f --filter until=24h",
        "attach": "one <<< line", "cp": "ended:/etc/passwd .", "export": "ended > exported.tar",
        "container start": "ended",
        "container wait": "ended", "events": "--until 0s", "build": "here",
    ]

    @Test func `says of every word what the program does with it`() throws {
        defer { _ = try? mica("rm", "-f", "up") }
        try #expect(
            shell("tar -cf root.tar here && $MICA save -o in.tar box")
                .status == 0
        )
        let lines = try DockerPage().lines
        #expect(lines.count > 250)
        for line in lines {
            switch line.outcome {
            case "works", "differs":
                let command = line.command ?? "$MICA \(line.words) \(arguments[line.words] ?? "")"
                let before = [
                    "rmi": "$MICA tag box other; ", "rm": "$MICA run --name gone box true; ",
                    "attach": "$MICA run -d -i --name one box head -n 1 >/dev/null; ",
                    "rename": "$MICA create --name one box; ",
                    "build": "echo FROM box > here/Dockerfile; ",
                ]
                let result = try shell((before[line.words] ?? "") + command)
                #expect(result.status == 0, "\(command): \(result.error)")
            case "not there":
                let result = try shell(line.command ?? "$MICA \(line.words)")
                #expect([64, 125].contains(result.status), "\(line.words): \(result.status)")
                #expect(
                    result.error.split(separator: "\n").last.map(String.init) == line.text,
                    "\(line.words)"
                )
            default: Issue.record("\(line.words): neither works, differs nor not there")
            }
            // Names that were given.
            _ = try mica("rm", "-f", "one", "two", "gone")
        }
    }

    @Test
    func `has every verb of mica's that docker has, and no option that mica has is missing from its tables`()
        throws
    {
        let lines = try DockerPage().lines
        let shown = Set(lines.filter { $0.command == nil && $0.outcome != "not there" }.map(\.words))
        // These are docker's and podman's names, too.
        for verb in [
            "run", "ps", "exec", "logs", "stop", "kill", "rm", "images", "load", "save", "import", "history",
            "tag",
            "rmi", "inspect", "commit", "diff", "version", "info", "create", "start", "restart", "wait",
            "pause",
            "unpause", "pull", "push", "login", "logout", "search", "system df", "rename", "update", "cp",
            "export", "attach", "events",
        ] {
            #expect(shown.contains(verb), "\(verb)")
        }
        let run = lines.filter { $0.command?.hasPrefix("$MICA run ") == true && $0.outcome != "not there" }
        let options = try mica("run", "--help").output.split(separator: "\n").filter { $0.hasPrefix("  -") }
            .flatMap { $0.split(separator: " ").prefix { $0.hasPrefix("-") } }
            .map { $0.trimmingCharacters(in: [","]) }.filter { $0.hasPrefix("--") }
        #expect(options.count > 15)
        for option in options where !["--root", "--help", "--version"].contains(option) {
            #expect(run.contains { $0.words.hasPrefix(option) }, "\(option)")
        }
    }
}
