import ContainerFixtures
import Containers
import Foundation
import Layers
import Snapshots
import Linux
import SystemPackage
import Testing

import Glibc

@Suite(.enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica"))
struct `The verbs` {
    let box: TestStore
    let mica: MicaCommand
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    private func wait(_ condition: () throws -> Bool) throws -> Bool {
        for _ in 0..<3000 {
            if try condition() { return true }
            usleep(20_000)
        }
        return false
    }

    @Test func `run passes on streams and status`() throws {
        let result = try mica(
            "run",
            "--rm",
            "-i",
            "box",
            "sh",
            "-c",
            "cat; echo err >&2; exit 5",
            input: "in\n"
        )
        #expect(result == (5, "in\n", "err\n"))
        try #expect(mica("run", "--rm", "box", "nothing").status == 127)
        try #expect(mica("run", "--rm", "box", "/etc").status == 126)
        try #expect(mica("run", "--rm", "nosuch").status == 125)
        try #expect(mica("run", "--no-such-flag", "box").status == 125)
        try #expect(
            mica("run", "--rm", "-e", "FROM_HOST", "-e", "NO_SUCH", "box", "env").output.contains(
                "FROM_HOST=yes\n"
            )
        )
        try #expect(mica("ps", "-aq").output == "")
        try #expect(box.isClean())
    }

    @Test func `a detached container is listed, entered, logged, stopped and removed`() throws {
        let script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.02; done"
        let run = try mica("run", "-d", "--name", "web", "box", "sh", "-c", script)
        #expect(run.status == 0)
        #expect(run.output.count == 65)
        try #expect(mica("ps", "-q", "--no-trunc").output == run.output)
        // The kernel lets go of who started it a moment before it fills in the command line.
        try #expect(wait { try mica("exec", "web", "cat", "/proc/1/cmdline").output.contains("trap") })
        try #expect(mica("exec", "-i", "web", "cat", input: "x").output == "x")
        try #expect(mica("exec", "web", "sh", "-c", "exit 9").status == 9)
        try #expect(mica("exec", "web", "sh", "-c", "sleep 1000 & echo on").output == "on\n")
        try #expect(wait { try mica("logs", "web").output == "up\n" })
        try #expect(mica("rm", "web").status != 0)
        try #expect(mica("stop", "web").status == 0)
        try #expect(mica("ps", "-a").output.contains("Exited (3)"))
        try #expect(mica("logs", "--tail", "1", "web").output == "bye\n")
        try #expect(mica("exec", "web", "true").status == 1)
        try #expect(mica("rm", "web").status == 0)
        try #expect(box.store.containers().isEmpty)
        try #expect(box.isClean())
    }

    @Test func `a detached container that can't start says so`() throws {
        let result = try mica("run", "-d", "--rm", "box", "nothing")
        #expect(result.status == 127)
        #expect(result.error.contains("not found"))
        try #expect(wait { try box.store.containers().isEmpty })
    }

    @Test func `logs follow until the end`() throws {
        _ = try mica(
            "run",
            "-d",
            "--name",
            "talk",
            "box",
            "sh",
            "-c",
            "for i in 1 2 3; do echo $i; sleep 0.1; done"
        )
        try #expect(mica("logs", "-f", "talk").output == "1\n2\n3\n")
    }

    @Test func `stop kills what does not listen`() throws {
        _ = try mica("run", "-d", "--name", "deaf", "box", "sleep", "1000")
        try #expect(mica("stop", "-t", "0", "deaf").status == 0)
        try #expect(mica("ps", "-a").output.contains("Exited (137)"))
    }

    @Test(arguments: ["-9", "-15"]) func `signals reach the container, and its end its caller`(
        _ signal: String
    ) throws {
        let process = mica.process([
            "run", "--name", "sig", "box", "sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.02; done",
        ])
        try process.run()
        try #expect(wait { try mica("ps", "-q").output != "" })
        usleep(50_000)
        if signal == "-15" {
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
            #expect(process.terminationStatus == 6)
        } else {
            // mica itself: the container goes with it, and what is left can be removed.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            try #expect(wait { try mica("ps", "-a").output.contains("Exited (unknown)") })
            try #expect(mica("rm", "sig").status == 0)
            try #expect(box.store.containers().isEmpty)
            try #expect(wait { try box.isClean() })
        }
    }

    @Test func `rm -f takes what runs, whoever watches it`() throws {
        _ = try mica("run", "-d", "--name", "one", "box", "sleep", "1000")
        let result = try mica("rm", "-f", "one", "nosuch")
        #expect(result.status == 1)
        #expect(result.output == "one\n")
        #expect(result.error.contains("nosuch"))
        try #expect(box.store.containers().isEmpty)
        try #expect(box.isClean())
    }

    @Test func `rm -f and stop take what is only being started`() throws {
        for round in 0..<4 {
            let process = mica.process(["run", "--name", "new", "box", "sleep", "1000"])
            process.standardError = FileHandle.nullDevice
            try process.run()
            try #expect(wait { try !box.store.containers().isEmpty })
            if round % 2 == 0 {
                try #expect(mica("rm", "-f", "new").status == 0)
                process.waitUntilExit()
            } else {
                try #expect(wait { try box.containers.container(named: "new").files.lock.exists })
                try #expect(mica("stop", "-t", "0", "new").status == 0)
                process.waitUntilExit()
                #expect(process.terminationStatus == 137)
                try #expect(mica("rm", "new").status == 0)
            }
        }
        try #expect(box.store.containers().isEmpty)
        try #expect(box.isClean())
    }

    @Test func `runs at once don't disturb each other`() async throws {
        let mica = mica
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 1...6 {
                group.addTask {
                    try mica("run", "--rm", "box", "sh", "-c", "exit \(number)").status == Int32(number)
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
        try #expect(box.isClean())
    }

    @Test func `mount shows an image, and keeps what is written to a snapshot`() throws {
        let directory = box.root.outside.string
        try #expect(mica("mount", "box", directory).status == 0)
        #expect(FileManager.default.fileExists(atPath: directory + "/bin/sh"))
        #expect(!FileManager.default.createFile(atPath: directory + "/x", contents: nil))
        try #expect(mica("mounts", "-q").output == directory + "\n")
        try #expect(mica("umount", directory).status == 0)
        try #expect(mica("mounts", "-q").output == "")

        try #expect(mica("mount", "--rw", "--name", "work", "box", directory).output == "work\n")
        #expect(FileManager.default.createFile(atPath: directory + "/x", contents: nil))
        try #expect(mica("mount", "--rw", "--name", "work", "box", "/mnt").status == 1)
        try #expect(mica("umount", directory).output.contains("work"))
        try #expect(mica("mount", "--rw", "--name", "work", "box", directory).status == 0)
        #expect(FileManager.default.fileExists(atPath: directory + "/x"))
        try #expect(mica("umount", directory).status == 0)
        try #expect(mica("umount", directory).status == 1)
        try #expect(box.isClean())
    }

    /// A value behind `=` is the parser's.
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
    func `a plain command line means what the parser says it means`(words: [String]) throws {
        let root = box.layout.root.string
        func said(_ first: [String]) throws -> String {
            let process = mica.process(["mount"] + first + words)
            let output = Foundation.Pipe()
            (process.standardOutput, process.standardError) = (output, output)
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return "\(process.terminationStatus) \(text)"
        }
        let plain = try said(["--root", root])
        #expect(try plain == said(["--root=\(root)"]))
        #expect(!plain.hasPrefix("0 ") || words == ["--help"])
    }
}
