import ContainerFixtures
import Containers
import Foundation
import Linux
import Snapshots
import SystemPackage
import Testing

import Glibc
import Runner

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `Events of a store` {
    let box: TestStore
    let mica: MicaCommand

    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    /// All that has happened so far, as `--format` shows it.
    private func told(_ format: String = "{{.Action}}", _ options: String...) throws -> [String] {
        let arguments = ["events", "--since", "1970-01-01", "--until", "0s", "--format", format] + options
        let process = mica.process(arguments)
        let output = Foundation.Pipe()
        process.standardOutput = output
        try process.run()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: said, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func container(_ format: String = "{{.Action}}") throws -> [String] {
        try told(format, "--filter", "type=container")
    }

    private static let name = "{{.Actor.Attributes.name}}"
    private static let code = "{{with .Actor.Attributes.exitCode}}{{.}}{{end}}"

    @Test func `are those of a container's life, in docker's words and order`() throws {
        try #require(mica("run", "-d", "--name", "it", "box", "sleep", "1000").status == 0)
        for verb in ["pause", "unpause"] { try #require(mica(verb, "it").status == 0) }
        try #require(mica("rename", "it", "other").status == 0)
        try #require(mica("exec", "other", "sh", "-c", "exit 3").status == 3)
        try #require(mica("kill", "-s", "CONT", "other").status == 0)
        try #require(mica("stop", "-t", "0", "other").status == 0)
        try #require(mica("start", "other").status == 0)
        try #require(mica("restart", "-t", "0", "other").status == 0)
        try #require(mica("rm", "-f", "other").status == 0)
        let kept = "{{.Action}} \(Self.name) {{with .Actor.Attributes.signal}}{{.}}{{end}}\(Self.code)"
        let stop = ["kill other 15", "kill other 9", "die other 137", "stop other "]
        let told = try container(kept)
        #expect(
            told
                == [
                    "create it ", "start it ", "pause it ", "unpause it ", "rename other ",
                    "exec_start: sh -c exit 3 other ", "exec_die other 3", "kill other 18",
                ] + stop + ["start other "] + stop + ["start other ", "restart other "]
                + ["kill other 9", "die other 137", "destroy other "],
            "\(told)"
        )
        try #expect(mica("events", "--until", "1s").output.isEmpty)
        try #expect(box.isClean())
    }

    @Test func `of a command in the foreground end with it`() throws {
        try #require(mica("run", "--rm", "--name", "it", "box", "sh", "-c", "exit 7").status == 7)
        try #require(mica("run", "--rm", "--name", "no", "box", "/none").status == 127)
        #expect(
            try container("{{.Action}} \(Self.name) \(Self.code)")
                == ["create it ", "attach it ", "start it ", "die it 7", "destroy it "]
                + ["create no ", "attach no ", "destroy no "]
        )
        #expect(try told("{{.Action}}", "-f", "event=die", "-f", "event=start") == ["start", "die"])
        #expect(try told("{{.Action}}", "-f", "container=no", "-f", "event=create") == ["create"])
        #expect(try told("{{.Action}}", "-f", "image=box", "-f", "event=die") == ["die"])
        #expect(try told("{{.Action}}", "-f", "image=other").isEmpty)
        try #expect(box.isClean())
    }

    @Test func `say once that a container has ended whose monitor was killed`() throws {
        try #require(mica("run", "-d", "--name", "it", "box", "sleep", "1000").status == 0)
        let containers = Containers(box.store)
        let monitor = try #require(
            try containers.container(named: "it").files.readState()?.monitor?.pid
        )
        kill(monitor, SIGKILL)
        // The lock is free once the monitor is gone.
        try #require(mica.wait { try mica("ps", "-a").output.contains("Exited") })
        for _ in 0..<2 { try #require(mica("gc").status == 0) }
        #expect(try container().filter { $0 == "die" }.count == 1)
        try #require(mica("rm", "it").status == 0)
        #expect(try container().last == "destroy")
        try #expect(box.isClean())
    }

    @Test func `are shown while they happen, in docker's form`() throws {
        let process = mica.process(["events"])
        let output = Foundation.Pipe()
        process.standardOutput = output
        try process.run()
        let first = Thread { [output] in
            while !output.fileHandleForReading.availableData.contains(0x0a) {}
        }
        first.start()
        // What happens before it has begun to follow is not shown.
        try #expect(
            mica.wait {
                try #require(mica("tag", "box", "seen").status == 0)
                return first.isFinished
            }
        )
        try #require(mica("rmi", "seen").status == 0)
        try #require(mica("create", "--name", "it", "box", "true").status == 0)
        try #require(mica("rm", "it").status == 0)
        var said = ""
        while !said.contains(" destroy ") {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { break }
            said += String(decoding: data, as: UTF8.self)
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let lines = said.split(separator: "\n")
        let id = #/[0-9a-f]{64}/#
        let time = #/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z/#
        #expect(lines.allSatisfy { $0.prefixMatch(of: time) != nil && $0.contains(id) })
        let words = lines.map { $0.split(separator: " ") }
        #expect(words.suffix(3).map { $0[1] } == ["image", "container", "container"])
        #expect(words.suffix(3).map { $0[2] } == ["untag", "create", "destroy"])
        #expect(lines.last?.hasSuffix(" (image=box, name=it)") == true)
    }

    @Test func `are refused by wrong words, not passed over`() throws {
        for words in [
            ["-f", "label=a"], ["-f", "type=volume"], ["-f", "event"], ["--format", "{{.Nothing}}"],
        ] {
            let process = mica.process(["events", "--until", "0s"] + words)
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 64)
        }
    }
}
