import Layers
import Snapshots
import ContainerFixtures
import Containers
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `The life of a container` {
    let box: TestStore
    let mica: MicaCommand
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    private static let counting = "trap 'exit 3' TERM; echo up; while :; do echo x; sleep 0.02; done"

    private func state(of name: String) throws -> [String: Any] {
        let text = try mica("inspect", name).output
        let all = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]]
        return try #require(all?.first?["State"] as? [String: Any])
    }

    @Test func `begins with create, and goes on with every start, with what it wrote`() throws {
        let script = "echo x >> /left; cat /left; echo $(cat /etc/hostname) >> /etc/hosts; exit 4"
        let created = try mica("create", "--name", "one", "box", "sh", "-c", script)
        #expect(created.status == 0 && created.output.count == 65)
        try #expect(mica("ps", "-a").output.contains("Created"))
        try #expect(mica("ps", "-q").output == "")
        try #expect(mica("wait", "one").output == "0\n")
        #expect(try state(of: "one")["Status"] as? String == "created")
        try #expect(mica("start", "-a", "one") == (4, "x\n", ""))
        try #expect(mica("start", "-a", "one") == (4, "x\nx\n", ""))
        try #expect(mica("start", "one") == (0, "one\n", ""))
        try #expect(mica("wait", "one").output == "4\n")
        // The log goes on, and so do the files that only this container sees.
        try #expect(mica("logs", "one").output == "x\nx\nx\nx\nx\nx\n")
        let hosts = try box.containers.container(named: "one").files.hosts
        let lines = try String(contentsOfFile: hosts.string, encoding: .utf8).split(separator: "\n")
        #expect(lines.filter { $0 == created.output.prefix(12) }.count == 3)
        try #expect(mica("rm", "one").status == 0)
        try #expect(box.isClean())
    }

    @Test func `gets input where it was created for it, and goes with its end where that was asked for`()
        throws
    {
        try #expect(mica("create", "-i", "--rm", "--name", "one", "box", "cat").status == 0)
        try #expect(mica("start", "-i", "one", input: "typed\n") == (0, "typed\n", ""))
        try #expect(box.store.containers().isEmpty)
        try #expect(box.isClean())
    }

    @Test func `goes on after a start that failed`() throws {
        try #expect(mica("create", "--name", "one", "box", "nothing").status == 0)
        let failed = try mica("start", "-a", "one")
        #expect(failed.status == 127 && failed.error.contains("not found"))
        try #expect(mica("start", "one").status == 127)
        try #expect(mica("ps", "-a").output.contains("Exited (127)"))
        try box.root.write("bin/nothing", Data("#!/bin/sh\necho something\n".utf8), mode: 0o755)
        try #expect(mica("start", "-a", "one").output == "something\n")
        let after = try state(of: "one")
        #expect(after["ExitCode"] as? Int == 0 && after["Error"] as? String == "")
    }

    @Test func `of one that runs is not begun twice`() throws {
        try #require(mica("run", "-d", "--name", "up", "box", "sleep", "1000").status == 0)
        let before = try state(of: "up")["Pid"] as? Int
        try #expect(mica("start", "up").status == 0)
        #expect(try state(of: "up")["Pid"] as? Int == before)
        try #expect(mica("rm", "-f", "up").status == 0)
    }

    @Test func `is restarted, running or not`() throws {
        try #require(mica("run", "-d", "--name", "up", "box", "sh", "-c", Self.counting).status == 0)
        try #expect(mica.wait { try mica("logs", "up").output.hasPrefix("up\n") })
        let before = try state(of: "up")["Pid"] as? Int
        try #expect(mica("restart", "-t", "600", "up") == (0, "up\n", ""))
        let after = try state(of: "up")
        #expect(after["Status"] as? String == "running" && after["Pid"] as? Int != before)
        try #expect(
            mica.wait { try mica("logs", "up").output.split(separator: "\n").count { $0 == "up" } == 2 }
        )
        try #expect(mica("stop", "up").status == 0)
        try #expect(mica("restart", "up").status == 0)
        try #expect(mica("ps", "-q").output.count == 13)
        try #expect(mica("rm", "-f", "up").status == 0)
        try #expect(mica("run", "-d", "--rm", "--name", "going", "box", "sleep", "1000").status == 0)
        try #expect(mica("restart", "-t", "0", "going").error.contains("--rm"))
        try #expect(mica("rm", "-f", "going").status == 0)
        try #expect(box.isClean())
    }

    @Test(arguments: [[], ["--rm"]]) func `is waited for to its end, also where nothing of it stays`(
        _ options: [String]
    ) throws {
        let run = ["run", "-d"] + options + ["--name", "up", "box", "sh", "-c", Self.counting]
        try #require(mica.run(run).status == 0)
        try #expect(mica.wait { try mica("logs", "up").output.hasPrefix("up\n") })
        let waiting = mica.process(["wait", "up"])
        let output = Foundation.Pipe()
        waiting.standardOutput = output
        try waiting.run()
        // It has the lock file open when it waits.
        let lock = try box.containers.container(named: "up").files.lock
        try #expect(
            mica.wait {
                let open = FilePath("/proc/\(waiting.processIdentifier)/fd")
                return ((try? open.names()) ?? []).contains {
                    open.appending(String(decoding: $0, as: UTF8.self)).target.map {
                        String(decoding: $0, as: UTF8.self)
                    } == lock.string
                }
            }
        )
        try #expect(mica("stop", "-t", "600", "up").status == 0)
        let said = output.fileHandleForReading.readDataToEndOfFile()
        waiting.waitUntilExit()
        #expect(String(decoding: said, as: UTF8.self) == "3\n")
        _ = try mica("rm", "-f", "up")
        try #expect(box.isClean())
    }

    @Test(arguments: ["stop", "rm"]) func `can be paused, and ends from there as well`(_ end: String) throws {
        let counting = Self.counting.replacing("echo x;", with: "echo x >> /count;")
        try #require(mica("run", "-d", "--name", "up", "box", "sh", "-c", counting).status == 0)
        let count = try box.layout.snapshot(
            box.store.snapshot(box.containers.container(named: "up").record.snapshot).id
        )
        .appending("upper/count")
        func size() throws -> Int { count.exists ? Int(try count.status().st_size) : 0 }
        try #expect(mica.wait { try size() > 10 })
        try #expect(mica("pause", "up") == (0, "up\n", ""))
        try #expect(mica("ps").output.contains("(Paused)"))
        let paused = try state(of: "up")
        #expect(paused["Status"] as? String == "paused" && paused["Paused"] as? Bool == true)
        #expect(paused["Running"] as? Bool == true)
        let before = try size()
        usleep(200_000)
        #expect(try size() == before)
        let exec = try mica("exec", "up", "true")
        #expect(exec.status == 125 && exec.error.contains("is paused"))
        try #expect(mica("pause", "up").error.contains("is paused"))
        try #expect(mica("start", "up").error.contains("is paused"))
        try #expect(mica("rm", "up").error.contains("is paused"))
        try #expect(mica("unpause", "up").status == 0)
        try #expect(mica("unpause", "up").error.contains("is running"))
        try #expect(mica.wait { try size() > before })
        try #expect(mica("exec", "up", "true").status == 0)
        try #expect(mica("pause", "up").status == 0)
        if end == "stop" {
            // It hears of it, and has its time.
            try #expect(mica("stop", "-t", "600", "up").status == 0)
            try #expect(mica("ps", "-a").output.contains("Exited (3)"))
            try #expect(mica("pause", "up").error.contains("not running"))
        }
        try #expect(mica("rm", "-f", "up").status == 0)
        try #expect(box.isClean())
    }

    @Test func `that is paused ends by KILL`() throws {
        try #require(mica("run", "-d", "--name", "up", "box", "sleep", "1000").status == 0)
        try #expect(mica("pause", "up").status == 0)
        try #expect(mica("kill", "up").status == 0)
        try #expect(mica("wait", "up").output == "137\n")
        try #expect(mica("rm", "up").status == 0)
    }

    /// As a machine that was switched off leaves it: what ran it is gone, and what it had written down is not true any more.
    @Test func `goes on where its end was not seen`() throws {
        let script = "echo x >> /left; cat /left; sleep 1000"
        try #require(mica("run", "-d", "--name", "up", "box", "sh", "-c", script).status == 0)
        try #require(mica.wait { try mica("logs", "up").output == "x\n" })
        let container = try box.containers.container(named: "up")
        let monitor = try #require(container.files.readState()?.monitor)
        // What it wrote is there, and heard of: else it might end before it has written anything.
        try #require(mica.wait { try mica("logs", "up").output == "x\n" })
        #expect(kill(monitor.pid, SIGKILL) == 0)
        try #expect(mica.wait { try mica("ps", "-a").output.contains("Exited (unknown)") })
        #expect(try state(of: "up")["Status"] as? String == "exited")
        try #expect(mica("wait", "up").error.contains("is not known"))
        try #expect(mica("start", "up").status == 0)
        try #expect(mica.wait { try mica("logs", "-n", "2", "up").output == "x\nx\n" })
        try #expect(mica("rm", "-f", "up").status == 0)
        try #expect(mica.wait { try box.isClean() })
    }

    @Test func `has another name when it is given one`() throws {
        try #require(mica("create", "--name", "one", "box", "true").status == 0)
        try #require(mica("create", "--name", "two", "box", "true").status == 0)
        try box.store.prepare("snap", parent: nil)
        for (name, reason) in [
            ("two", "in use by container"), ("snap", "in use by a snapshot"), ("-x", "no name"),
        ] {
            let result = try mica("rename", "one", name)
            #expect(result.status != 0 && (result.error.contains(reason) || name == "-x"), "\(result)")
        }
        try #expect(mica("rename", "one", "a/b").error.contains("not a container's name"))
        try #expect(mica("rename", "one", "three").status == 0)
        try #expect(mica("start", "-a", "three").status == 0)
        try #expect(mica("rm", "one").status == 1)
        try #expect(mica("rm", "two", "three").status == 0)
    }

    @Test func `says that it ended for want of memory`() throws {
        let hog = ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"]
        try #expect(mica.run(["run", "-m", "16m", "--name", "hog", "box"] + hog).status == 137)
        #expect(try state(of: "hog")["OOMKilled"] as? Bool == true)
        try #expect(mica("update", "-m", "512m", "hog").status == 0)
        try #expect(mica("start", "-a", "hog").status == 0)
        #expect(try state(of: "hog")["OOMKilled"] as? Bool == false)
    }

    @Test func `has other limits when they are updated, at once and afterwards`() throws {
        try #require(mica("run", "-d", "--name", "up", "box", "sleep", "1000").status == 0)
        let id = try box.containers.container(named: "up").record.id
        func limit() throws -> String? {
            let file = MountTable.current().entries.filter { $0.type.hasPrefix("cgroup") }
                .map { $0.target.appending("mica/\(id)/pids.max") }.first { $0.exists }
            return try file.map { try String(contentsOfFile: $0.string, encoding: .utf8) }
        }
        try #require(limit() == "2048\n")
        try #expect(mica("update", "--pids-limit", "40", "up") == (0, "up\n", ""))
        try #expect(limit() == "40\n")
        try #expect(mica("update", "--pids-limit", "-1", "up").status == 0)
        try #expect(limit() == "max\n")
        try #expect(mica("update", "--pids-limit", "50", "up").status == 0)
        try #expect(mica("restart", "-t", "0", "up").status == 0)
        try #expect(limit() == "50\n")
        try #expect(mica("update", "up").error.contains("nothing to change"))
        try #expect(mica("rm", "-f", "up").status == 0)
    }

    /// Runs all of them at once; what each ended with.
    private func together(_ all: [[String]]) throws -> [Int32] {
        let processes = all.map { mica.process($0) }
        for process in processes {
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
        }
        return processes.map { process in
            process.waitUntilExit()
            return process.terminationStatus
        }
    }

    @Test func `begins once where several start it at once`() throws {
        try #require(
            mica("create", "--name", "one", "box", "sh", "-c", "echo x; exec sleep 1000").status == 0
        )
        try #expect(together(Array(repeating: ["start", "one"], count: 4)) == [0, 0, 0, 0])
        // One that waited for the end of the other would run it anew, or wait for it with all others.
        try #expect(mica("start", "one").status == 0)
        try #expect(mica.wait { try mica("logs", "one").output == "x\n" })
        try #expect(mica("rm", "-f", "one").status == 0)
        try #expect(box.isClean())
    }

    @Test func `keeps every change of those that are made at once`() throws {
        try #require(mica("create", "--name", "one", "box", "true").status == 0)
        for count in 1...5 {
            let changes = ["--memory=\(count * 16)m", "--cpus=\(count).5", "--pids-limit=\(count * 10)"]
            try #expect(together(changes.map { ["update", $0, "one"] }) == [0, 0, 0])
            let resources = try #require(try box.containers.container(named: "one").spec.resources)
            let wanted = Resources(
                memory: UInt64(count << 24),
                milliCPUs: UInt64(count * 1000 + 500),
                processes: UInt64(count * 10)
            )
            #expect(resources == wanted)
        }
        try #expect(mica("rm", "one").status == 0)
    }
}
