import Runner
import Layers
import Snapshots
import ContainerFixtures
import Containers
import Foundation
import Linux
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `Who attaches to a container` {
    let box: TestStore
    let mica: MicaCommand
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    /// An attached client, whose output is read when it has ended.
    private struct Client {
        let process: Process
        let input = Foundation.Pipe()
        let output = Foundation.Pipe()

        init(_ process: Process) throws {
            self.process = process
            process.standardInput = input
            process.standardOutput = output
            process.standardError = output
            try process.run()
        }

        func type(_ text: String) throws { try input.fileHandleForWriting.write(contentsOf: Data(text.utf8)) }

        /// Waits for as much as that.
        func read(_ text: String) throws -> Bool {
            var said = ""
            while !said.contains(text) {
                let data = output.fileHandleForReading.availableData
                if data.isEmpty { return false }
                said += String(decoding: data, as: UTF8.self)
            }
            return true
        }

        func end() -> (status: Int32, output: String) {
            let said = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return (process.terminationStatus, String(decoding: said, as: UTF8.self))
        }
    }

    private func blocks(_ signal: Int32, _ process: Int32) throws -> Bool {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let mask = status.split(separator: "\n").first { $0.hasPrefix("SigBlk:") }?.split(separator: "\t")
            .last
        return (mask.flatMap { UInt64($0, radix: 16) } ?? 0) & 1 << UInt64(signal - 1) != 0
    }

    /// Bytes of all of a container's logs.
    private func logSize(in directory: FilePath) throws -> Int {
        try directory.names().map { String(decoding: $0, as: UTF8.self) }.filter { $0.hasPrefix("log") }
            .reduce(0) { $0 + Int(try directory.appending($1).status().st_size) }
    }

    private func attach(_ options: String...) throws -> Client {
        try Client(mica.process(["attach"] + options))
    }

    @Test func `has its input, its output and its end, and so have others`() throws {
        let script = "while read line; do echo \"got $line\"; [ $line != end ] || exit 7; done"
        try #require(mica("run", "-d", "-i", "--name", "it", "box", "sh", "-c", script).status == 0)
        let (one, two) = (try attach("it"), try attach("--no-stdin", "it"))
        // Until both are there, what is said may be heard by one alone.
        var hasTwo = false
        let seen = Thread { while (try? two.read("got again")) != true {} }
        seen.start()
        try #expect(
            mica.wait {
                try one.type("again\n")
                usleep(50_000)
                hasTwo = seen.isFinished
                return hasTwo
            }
        )
        // The end of one client's input is not the container's.
        try two.input.fileHandleForWriting.close()
        try one.type("end\n")
        let (first, second) = (one.end(), two.end())
        #expect(first.status == 7 && first.output.hasSuffix("got end\n"))
        #expect(second.status == 7 && second.output.hasSuffix("got end\n"))
        try #expect(mica("logs", "it").output.hasSuffix("got end\n"))
        try #expect(mica("attach", "it").error.contains("is not running"))
        // What start -a does with one that runs.
        try #expect(mica("start", "it").status == 0)
        let again = try Client(mica.process(["start", "-ai", "it"]))
        try again.type("end\n")
        #expect(again.end() == (7, "got end\n"))
        try #expect(mica("rm", "it").status == 0)
        try #expect(box.isClean())
    }

    @Test func `passes signals on, and may go without it`() throws {
        let script = "trap 'echo sig; exit 5' USR1; echo up; while :; do echo x; sleep 0.02; done"
        try #require(mica("run", "-d", "--name", "it", "box", "sh", "-c", script).status == 0)
        let gone = try attach("it")
        #expect(try gone.read("x\n"))
        kill(gone.process.processIdentifier, SIGKILL)
        _ = gone.end()
        // Whose reader goes, as one that SIGPIPE has killed.
        let cut = try attach("it")
        #expect(try cut.read("x\n"))
        try cut.output.fileHandleForReading.close()
        cut.process.waitUntilExit()
        #expect(cut.process.terminationStatus == 141)
        let client = try attach("it")
        #expect(try client.read("x\n"))
        kill(client.process.processIdentifier, SIGUSR1)
        let end = client.end()
        #expect(end.status == 5 && end.output.hasSuffix("sig\n"))
        try #expect(mica("rm", "it").status == 0)
        try #expect(box.isClean())
    }

    @Test func `leaves it to itself by two keys, and gives it the size of a terminal`() throws {
        try #require(mica("run", "-dit", "--name", "it", "box", "sh").status == 0)
        let process = mica.process([
            "-qec", "stty rows 31 cols 41; $MICA attach it; echo left: $?", "/dev/null",
        ])
        process.environment?["MICA"] = process.executableURL?.path
        process.environment?["SHELL"] = "/bin/bash"
        process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        let client = try Client(process)
        // Raw by then: the terminal's own echo is not what is read.
        try client.type("stty size; echo $((40+2))\r")
        #expect(try client.read("31 41\r\n42\r\n"))
        try client.type("\u{10}\u{11}")
        let end = client.end()
        #expect(end.output.contains("left: 0"), "\(end)")
        try #expect(mica("ps", "-q").output.count == 13)
        try #expect(mica("rm", "-f", "it").status == 0)
        try #expect(box.isClean())
    }

    @Test func `that sleeps delays no other client`() throws {
        let script = "echo up; read b; echo $b; while :; do echo yyyyyyyyyyyyyyyyyyyyy; done"
        let run = try Client(mica.process(["run", "-i", "--name", "it", "box", "sh", "-c", script]))
        #expect(try run.read("up"))
        let asleep = try attach("it")
        // Attached by the time it is answered.
        try asleep.type("here\n")
        #expect(try asleep.read("here\n"))
        kill(asleep.process.processIdentifier, SIGSTOP)
        // Neither reads, until the program has to wait.
        let log = try box.containers.container(named: "it").files.directory
        var size = -1
        try #require(
            mica.wait {
                let before = size
                usleep(200_000)
                size = try logSize(in: log)
                return size == before
            }
        )
        try #expect(mica("kill", "it").status == 0)
        #expect(run.end().status == 137)
        kill(asleep.process.processIdentifier, SIGCONT)
        #expect(asleep.end().status == 137)
        try #expect(mica("rm", "it").status == 0)
    }

    @Test func `leaves when it is asked three times to end`() throws {
        try #require(mica("run", "-d", "--name", "it", "box", "sleep", "1000").status == 0)
        let client = try attach("--no-stdin", "it")
        // Signals that are not taken yet would end it, too.
        try #require(mica.wait { try blocks(SIGINT, client.process.processIdentifier) })
        while client.process.isRunning {
            kill(client.process.processIdentifier, SIGINT)
            usleep(50_000)
        }
        #expect(client.end().status == 0)
        try #expect(mica("exec", "it", "true").status == 0)
        try #expect(mica("rm", "-f", "it").status == 0)
    }

    @Test(arguments: ["keys", "terminal"]) func `leaves what it has started to itself`(by way: String) throws
    {
        let process = mica.process([
            "-qec",
            // With exec it is mica whom the kernel tells of a terminal that is gone, whatever signals the shell has blocked.
            "stty rows 33 cols 43; " + (way == "keys" ? "" : "exec ")
                + "$MICA run -it --name it box sh; echo left: $?",
            "/dev/null",
        ])
        process.environment?["MICA"] = process.executableURL?.path
        process.environment?["SHELL"] = "/bin/bash"
        process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        let client = try Client(process)
        try #require(mica.wait { try mica("ps", "-q").output.count == 13 })
        try client.type("stty size; echo $((40+2))\r")
        #expect(try client.read("33 43\r\n42\r\n"))
        if way == "keys" {
            try client.type("\u{10}\u{11}")
            #expect(client.end().output.contains("left: 0"))
        } else {
            // With the program that has the other side goes the terminal.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        try #expect(mica("exec", "it", "true").status == 0)
        try #expect(mica("rm", "-f", "it").status == 0)
        try #expect(mica.wait { try box.isClean() })
    }

    @Test func `does not hold up its end by not reading`() throws {
        try #require(
            mica(
                "run",
                "-d",
                "--name",
                "it",
                "box",
                "sh",
                "-c",
                "while :; do echo yyyyyyyyyyyyyyyyyyyyy; done"
            )
            .status == 0
        )
        let client = try attach("it")
        #expect(try client.read("yy"))
        kill(client.process.processIdentifier, SIGSTOP)
        try #expect(mica("stop", "-t", "0", "it").status == 0)
        try #expect(mica("ps", "-a").output.contains("Exited (137)"))
        kill(client.process.processIdentifier, SIGCONT)
        #expect(client.end().status == 137)
        try #expect(mica("rm", "it").status == 0)
        try #expect(box.isClean())
    }

    @Test func `finds one in the foreground too, and none that is paused or gone`() throws {
        let script = "echo up; read a; echo got $a; sleep 1000"
        let run = try Client(mica.process(["run", "-i", "--name", "it", "box", "sh", "-c", script]))
        #expect(try run.read("up"))
        let client = try attach("it")
        try client.type("line\n")
        #expect(try client.read("got line"))
        #expect(try run.read("got line"))
        kill(client.process.processIdentifier, SIGKILL)
        _ = client.end()
        try #expect(mica("pause", "it").status == 0)
        try #expect(mica("attach", "it").error.contains("is paused"))
        try #expect(mica("rm", "-f", "it").status == 0)
        _ = run.end()
        try #expect(mica("attach", "it").error.contains("no such container"))
    }
}
