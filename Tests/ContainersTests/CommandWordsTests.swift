import ContainerFixtures
import Foundation
import Layers
import Linux
import SystemPackage
import Testing

/// What people type who know other programs.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `The words of a command line` {
    let box: TestStore
    let mica: MicaCommand

    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    @Test(arguments: [
        (["-eA=1"], "A=1"), (["-e", "A=-1"], "A=-1"), (["-e=A=1"], "A=1"),
        (["-e", "A=1", "-e", "A=2"], "A=2"),
        (["--env=A="], "A="), (["-ieA=1"], "A=1"), (["-i", "-eA= x"], "A= x"),
        (["--rm=0", "-e", "A=1"], "A=1"),
        (["-eA=--rm"], "A=--rm"), (["--entrypoint=", "-eA=1"], "A=1"), (["--", "-e"], nil),
    ])
    func `are read as docker reads them`(words: [String], variable: String?) throws {
        let result = try mica.run(["run"] + words + ["box", "env"], input: nil)
        if let variable {
            #expect(result.output.split(separator: "\n").contains { $0 == variable }, "\(result)")
            #expect(result.status == 0)
        } else {
            #expect(result.status == 125)
        }
    }

    @Test func `flags take true and false, of which the last counts`() throws {
        try #expect(mica("run", "--rm=true", "box", "true").status == 0)
        try #expect(mica("run", "--rm", "box", "true").status == 0)
        try #expect(mica("ps", "-aq").output == "")
        try #expect(mica("run", "--rm", "--rm=false", "--name", "kept", "box", "true").status == 0)
        try #expect(mica("ps", "-aq=false").output.contains("kept"))
        let wrong = try mica("ps", "-a=perhaps")
        #expect(wrong.status == 64)
        #expect(wrong.error.contains("true or false"))
    }

    @Test func `what follows the image is the command's own`() throws {
        try #expect(
            mica("run", "--rm", "box", "echo", "-eA=1", "--rm=true", "--", "-h").output
                == "-eA=1 --rm=true -- -h\n"
        )
        _ = try mica("run", "-d", "--name", "up", "box", "sleep", "1000")
        try #expect(mica("exec", "up", "echo", "-itd", "--help").output == "-itd --help\n")
        try #expect(mica("exec", "-eA=1", "-it=false", "up", "sh", "-c", "echo $A").output == "1\n")
        try #expect(mica("stop", "-t0", "up").status == 0)
        try #expect(mica("rm", "up").status == 0)
    }

    /// A script's `mica run -- "$IMAGE"`, with a name that another person has chosen.
    @Test func `nothing after two dashes is an option of mica's`() throws {
        for words in [
            ["run", "--rm", "--", "-v", "/etc:/host", "box", "true"],
            ["run", "--", "--network=host", "box", "true"],
            ["run", "--", "--security-opt=seccomp=unconfined", "box", "true"],
            ["exec", "--", "-u", "1", "box", "id"],
        ] {
            let result = try mica.run(words)
            #expect(result.status == 125, "\(words)")
            #expect(result.error.contains("is no name"), "\(result.error)")
        }
        try #expect(mica("run", "--rm", "--", "box", "echo", "-v").output == "-v\n")
    }

    @Test func `an entrypoint can be taken away, a container be named, and a volume be here`() throws {
        try #expect(mica("run", "--rm", "-h", "me", "box", "hostname").output == "me\n")
        try #expect(mica("run", "--rm", "-hme.too", "box", "hostname").output == "me.too\n")
        try #expect(mica("run", "--help").output.contains("--hostname"))
        let process = mica.process([
            "run", "--rm", "-v", "./here:/there", "-v", "..:/above:ro", "box", "ls", "/there", "/above",
        ])
        let here = box.root.outside
        try here.appending("here/inside").makeDirectories()
        process.currentDirectoryURL = URL(fileURLWithPath: here.string)
        let output = Foundation.Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(text.contains("inside"))
        #expect(text.contains("rootfs"))
        let named = try mica("run", "--rm", "-v", "data:/there", "box", "true")
        #expect(named.status == 125)
        #expect(named.error.contains("no named volumes"))
        #expect(named.error.contains("./data"))
    }

    @Test(arguments: [
        (["comit"], "commit"), (["imagse"], "images"), (["snapshot", "lst"], "snapshot ls"),
        (["umont"], "umount"),
        (["run", "--intractive", "box"], "--interactive"), (["run", "-name", "x", "box"], "--name"),
        (["ps", "--no-truncate"], "--no-trunc"), (["run", "--detached", "box"], "--detach"),
        (["exec", "--tyy", "up"], "--tty"), (["help", "comit"], "commit"), (["mount", "--rws"], "--rw"),
        (["commit", "--autor", "me"], "--author"),
    ])
    func `what nobody knows is answered with what is meant, perhaps`(words: [String], meant: String) throws {
        let result = try mica.run(words)
        #expect([64, 125].contains(result.status))
        #expect(result.output == "")
        #expect(result.error.contains("Did you mean \(meant)?"), "\(result.error)")
    }

    @Test(arguments: [
        ["xyzzy"], ["help", "xyzzy"], ["snapshot", "xyzzy"], ["run", "--xyzzy"], ["ps", "-x"],
        ["--xyzzy", "ps"],
        ["run", "--init", "box"], ["ps", "--net"],
    ])
    func `nothing is proposed that misleads`(words: [String]) throws {
        let result = try mica.run(words)
        #expect([64, 125].contains(result.status))
        #expect(!result.error.contains("Did you mean"), "\(result.error)")
        #expect(result.error.split(separator: "\n").count == 2)
    }

    @Test func `failures of mica's own have the status that is nobody else's`() throws {
        try #expect(mica("exec", "nosuch", "true").status == 125)
        try #expect(mica("exec", "--nope", "nosuch").status == 125)
        try #expect(mica("exec").status == 125)
        try #expect(mica("run").status == 125)
        try #expect(mica("run", "--name").status == 125)
        try #expect(mica("ps", "--format", "{{.xml}}").status == 64)
        _ = try mica("run", "-d", "--name", "up", "box", "sleep", "1000")
        try #expect(mica("exec", "up", "nothing").status == 127)
        try #expect(mica("exec", "up", "/etc").status == 126)
        try #expect(mica("rm", "-f", "up").status == 0)
        try #expect(mica("exec", "up", "true").status == 125)
    }

    @Test func `--root is understood before and after every verb`() throws {
        let root = box.layout.root.string
        for words in [
            ["--root", root, "ps"], ["--root=\(root)", "ps"], ["ps", "--root", root],
            ["snapshot", "--root", root, "ls"],
        ] {
            let process = mica.process(words)
            process.environment?["MICA_ROOT"] = "/dev/null"
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(words)")
        }
    }

    /// What --help shows is what the parser has: the words are told apart by a table beside it.
    @Test func `every option of the parser's is one of the table's, with a value or without`() throws {
        struct Tool: Decodable { let command: Command }
        struct Command: Decodable {
            struct Argument: Decodable {
                struct Name: Decodable {
                    let kind: String
                    let name: String
                }
                let kind: String
                let names: [Name]?
            }
            let commandName: String
            let arguments: [Argument]?
            let subcommands: [Command]?
        }
        func check(_ command: Command, _ path: [String]) throws {
            for member in command.subcommands ?? [] where member.commandName != "help" {
                try check(member, path + [member.commandName])
            }
            guard !path.isEmpty, command.subcommands == nil else { return }
            for argument in command.arguments ?? [] where argument.kind != "positional" {
                for name in argument.names ?? [] where !["help", "h", "version", "root"].contains(name.name) {
                    let option = name.kind == "short" ? "-\(name.name)" : "--\(name.name)"
                    // A flag leaves --help what it is. An option takes it for a value.
                    let ending = path == ["events"] && option != "--until" ? ["--until", "0s"] : []
                    let result = try mica.run(path + ending + [option, "--help"])
                    let isHelp = result.status == 0 && result.output.hasPrefix("OVERVIEW: ")
                    // Its value comes after = alone.
                    let isChoice = path == ["build"] && option == "--pull"
                    #expect(isHelp == (argument.kind == "flag" || isChoice), "\(path) \(option): \(result)")
                    #expect(!result.error.contains("has no \(option)"), "\(path) \(option)")
                }
            }
        }
        let dump = try mica("--experimental-dump-help").output
        try check(JSONDecoder().decode(Tool.self, from: Data(dump.utf8)).command, [])
    }

    @Test func `version, info, status and help are there as everywhere`() throws {
        let version = try mica("version")
        #expect(version.status == 0)
        #expect(version.output.hasPrefix("mica \(try mica("--version").output.dropLast())"))
        let info = try mica("info")
        #expect(info.status == 0)
        #expect(info.output.contains(box.layout.root.string))
        let status = try mica("status")
        #expect(status.status == 3)
        #expect(status.output.contains("by no micad"))
        let help = try mica("help").output
        try #expect(help == mica("--help").output)
        #expect(help.contains("--root DIR") && help.contains("$MICA_ROOT"))
        #expect(help.contains("CONTAINER SUBCOMMANDS:"))
        try #expect(mica("help", "snapshot", "ls").output == mica("snapshot", "ls", "--help").output)
        try #expect(mica("container", "ls", "--help").output == mica("ps", "--help").output)
    }
}
