import ContainerFixtures
import Foundation
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

/// What a name stands for, and what is said where it stands for nothing.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `Names of images and containers` {
    let box: TestStore
    let mica: MicaCommand

    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    @Test func `what podman calls localhost/NAME is found by NAME`() throws {
        try #expect(mica("tag", "box", "localhost/mine:1").status == 0)
        try #expect(mica("run", "--rm", "mine:1", "true").status == 0)
        try #expect(mica("history", "localhost/mine:1").status == 0)
        try #expect(mica("images", "mine").output.contains("localhost/mine"))
        // docker.io's goes before it.
        try #expect(mica("tag", "box", "mine:1").status == 0)
        try #expect(mica("rmi", "mine:1").output == "Untagged: mine:1\n")
        try #expect(mica("rmi", "mine:1").output == "Untagged: localhost/mine:1\n")
        try #expect(mica("history", "mine:1").status == 1)
        try #expect(mica("run", "--rm", "docker.io/library/mine:1", "true").status == 125)
    }

    @Test func `where a tag is not there, those that are are named`() throws {
        for tag in ["tool:1", "tool:2", "localhost/tool:3"] {
            try #expect(mica("tag", "box", tag).status == 0)
        }
        let result = try mica("run", "tool", "true")
        #expect(result.status == 125)
        #expect(result.error.contains("no such image: tool:latest"))
        #expect(result.error.contains("There are tool:1, tool:2, localhost/tool:3."))
        try #expect(mica("rmi", "tool:9").error.contains("tool:1"))
        let unknown = try mica("run", "nosuch", "true").error
        #expect(unknown.contains("no such image: nosuch") && unknown.contains("can't be pulled"))
        try #expect(mica("run", "--pull", "never", "nosuch", "true").error.contains("mica load"))
    }

    @Test func `images are listed by a pattern`() throws {
        for tag in ["debian:12", "debbie:1", "other/debian:12", "localhost/debug:1"] {
            try #expect(mica("tag", "box", tag).status == 0)
        }
        func listed(_ pattern: String) throws -> [String] {
            try mica("images", pattern).output.split(separator: "\n").dropFirst()
                .map { $0.split(separator: " ").prefix(2).joined(separator: ":") }
        }
        try #expect(listed("deb*") == ["debbie:1", "debian:12", "localhost/debug:1"])
        try #expect(listed("*/debian") == ["other/debian:12"])
        try #expect(listed("debian:1?") == ["debian:12"])
        try #expect(listed("nothing*") == [])
    }

    @Test func `a container and a snapshot never have the same name`() throws {
        try #expect(mica("snapshot", "prepare", "one").status == 0)
        let run = try mica("run", "--name", "one", "box", "true")
        #expect(run.status == 125)
        #expect(run.error.contains("in use by a snapshot"))
        try #expect(mica("run", "--name", "two", "box", "true").status == 0)
        let prepare = try mica("snapshot", "prepare", "two")
        #expect(prepare.status == 1)
        #expect(prepare.error.contains("in use by container"))
        // A snapshot is meant where an image of its name could not be.
        try #expect(mica("tag", "box", "one").status == 0)
        try #expect(mica("diff", "one").status == 0)
    }

    @Test func `inspect says how a container is`() throws {
        struct Document: Decodable {
            struct State: Decodable {
                let Status: String
                let Running: Bool
                let Pid: Int
                let ExitCode: Int?
                let StartedAt: String?
                let FinishedAt: String?
            }
            struct Mount: Decodable {
                let Source: String
                let Destination: String
                let RW: Bool
            }
            let Created: String
            let State: State
            let Mounts: [Mount]
        }
        func inspect(_ name: String) throws -> Document {
            let text = try mica("inspect", name).output
            return try #require(JSONDecoder().decode([Document].self, from: Data(text.utf8)).first)
        }
        let volume = box.root.outside.string
        try #expect(
            mica("run", "-d", "--name", "up", "-v", "\(volume):/data:ro", "box", "sleep", "1000").status == 0
        )
        let time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/
        let running = try inspect("up")
        #expect(running.State.Status == "running" && running.State.Running && running.State.ExitCode == nil)
        #expect(FileManager.default.fileExists(atPath: "/proc/\(running.State.Pid)"))
        #expect(running.Created.wholeMatch(of: time) != nil)
        #expect(running.State.StartedAt?.wholeMatch(of: time) != nil)
        #expect(running.Mounts.map(\.Destination) == ["/data"] && running.Mounts.allSatisfy { !$0.RW })
        #expect(running.Mounts.first?.Source == volume)
        try #expect(mica("ps", "--format", "json").output.contains(running.Created))
        try #expect(mica("rm", "-f", "up").status == 0)
        try #expect(mica("run", "--name", "down", "box", "sh", "-c", "exit 7").status == 7)
        let ended = try inspect("down")
        #expect(ended.State.Status == "exited" && !ended.State.Running && ended.State.Pid == 0)
        #expect(ended.State.ExitCode == 7)
        #expect(ended.State.FinishedAt?.wholeMatch(of: time) != nil)
    }

    @Test func `logs show what was written in a time`() throws {
        // Read at once, both would be of one time.
        let script = "echo one; until [ -e /go ]; do sleep 0.05; done; echo two"
        try #expect(mica("run", "-d", "--name", "talker", "box", "sh", "-c", script).status == 0)
        try #require(mica.wait { try mica("logs", "talker").output == "one\n" })
        try #expect(mica("exec", "talker", "touch", "/go").status == 0)
        try #expect(mica("wait", "talker").output == "0\n")
        let stamped = try mica("logs", "-t", "talker").output.split(separator: "\n")
        try #require(stamped.count == 2)
        let second = stamped[1].split(separator: " ")[0]
        try #expect(mica("logs", "--since", String(second), "talker").output == "two\n")
        try #expect(mica("logs", "--until", String(second), "talker").output == "one\n")
        try #expect(mica("logs", "--since", "1h", "talker").output == "one\ntwo\n")
        try #expect(mica("logs", "--since", "1h", "--tail", "1", "talker").output == "two\n")
        try #expect(mica("logs", "--until", "2024-05-06", "talker").output == "")
        try #expect(mica("logs", "--since", "9000000000", "talker").status == 64)
        try #expect(mica("logs", "--since", "tomorrow", "talker").status == 64)
        try #expect(mica("logs", "--tail", "all", "talker").output == "one\ntwo\n")
    }
}
