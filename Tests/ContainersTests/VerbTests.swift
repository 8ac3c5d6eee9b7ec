import ContainerFixtures
import Containers
import Foundation
import Layers
import Snapshots
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `The verbs` {
    let box: TestStore
    let mica: MicaCommand
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
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
        try #expect(mica.wait { try mica("exec", "web", "cat", "/proc/1/cmdline").output.contains("trap") })
        try #expect(mica("exec", "-i", "web", "cat", input: "x").output == "x")
        try #expect(mica("exec", "web", "sh", "-c", "exit 9").status == 9)
        try #expect(mica("exec", "web", "sh", "-c", "sleep 1000 & echo on").output == "on\n")
        try #expect(mica.wait { try mica("logs", "web").output == "up\n" })
        try #expect(mica("rm", "web").status != 0)
        try #expect(mica("stop", "-t", "600", "web").status == 0)
        try #expect(mica("ps", "-a").output.contains("Exited (3)"))
        try #expect(mica("logs", "--tail", "1", "web").output == "bye\n")
        try #expect(mica("exec", "web", "true").status == 125)
        try #expect(mica("rm", "web").status == 0)
        try #expect(box.store.containers().isEmpty)
        try #expect(box.isClean())
    }

    @Test func `a detached container that can't start says so`() throws {
        let result = try mica("run", "-d", "--rm", "box", "nothing")
        #expect(result.status == 127)
        #expect(result.error.contains("not found"))
        try #expect(mica.wait { try box.store.containers().isEmpty })
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

    @Test func `stop and kill send real-time signals by name, and so does an image's STOPSIGNAL`() throws {
        func start(_ name: String, _ image: String) throws {
            let traps = "trap 'exit 7' 37; trap 'exit 8' 62; trap 'echo got' 34; echo up"
            let run = try mica(
                "run",
                "-d",
                "--name",
                name,
                image,
                "sh",
                "-c",
                "\(traps); while :; do sleep 0.02; done"
            )
            #expect(run.status == 0, "\(run)")
            try #expect(mica.wait { try mica("logs", name).output == "up\n" })
        }
        try start("one", "box")
        try #expect(mica("kill", "-s", "sigrtmin", "one").status == 0)
        try #expect(mica.wait { try mica("logs", "one").output == "up\ngot\n" })
        try #expect(mica("stop", "-t", "600", "-s", "SIGRTMAX-2", "one").status == 0)
        try #expect(mica("ps", "-a").output.contains("Exited (8)"))
        try #expect(mica("commit", "-c", "STOPSIGNAL RTMIN+3", "one", "signalled").status == 0)
        try start("two", "signalled")
        try #expect(mica("stop", "-t", "600", "two").status == 0)
        try #expect(mica("ps", "-a").output.contains("Exited (7)"))
        try #expect(mica("stop", "-s", "RTMAX+1", "two").error.contains("no such signal"))
        try #expect(mica("rm", "one", "two").status == 0)
    }

    @Test(arguments: ["-9", "-15"]) func `signals reach the container, and its end its caller`(
        _ signal: String
    ) throws {
        let process = mica.process([
            "run", "--name", "sig", "box", "sh", "-c",
            "trap 'exit 6' TERM; echo up; while :; do sleep 0.02; done",
        ])
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        try #require(mica.wait { try mica("logs", "sig").output == "up\n" })
        if signal == "-15" {
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
            #expect(process.terminationStatus == 6)
        } else {
            // Of the client the container knows nothing: it runs on, and can be attached to. When what runs it is killed, it
            // goes, and what is left can be removed.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let container = try box.containers.container(named: "sig")
            let monitor = try #require(container.files.readState()?.monitor)
            #expect(monitor.pid != process.processIdentifier)
            let other = mica.process(["attach", "sig"])
            try other.run()
            try #expect(mica("exec", "sig", "true").status == 0)
            kill(monitor.pid, SIGKILL)
            other.waitUntilExit()
            #expect(other.terminationStatus == 125)
            try #expect(mica.wait { try mica("ps", "-a").output.contains("Exited (unknown)") })
            try #expect(mica("rm", "sig").status == 0)
            try #expect(box.store.containers().isEmpty)
            try #expect(mica.wait { try box.isClean() })
        }
    }

    /// A command line for a shell, which gets mica as $MICA.
    private func shell(_ script: String) -> Process {
        let process = mica.process([])
        process.environment?["MICA"] = process.executableURL?.path
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", script]
        return process
    }

    private func output(of script: String) throws -> String {
        let process = shell(script)
        let output = Foundation.Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }

    /// Whether a thread of the process waits in write(2) to a pipe.
    private func isWritingToFullPipe(_ process: Int32) throws -> Bool {
        try FilePath("/proc/\(process)/task").names().contains { thread in
            let path = FilePath("/proc/\(process)/task/\(String(decoding: thread, as: UTF8.self))/wchan")
            let place = (try? OwnedFD.open(path, O_RDONLY).contents(limit: 4096)) ?? []
            return String(decoding: place, as: UTF8.self).contains("pipe_write")
        }
    }

    @Test(arguments: ["stop", "rm", "remove"]) func `nobody waits for a client that does not read`(
        _ how: String
    ) throws {
        let process = mica.process(
            ["run"] + (how == "remove" ? ["--rm"] : []) + [
                "--name", "talker", "box", "sh", "-c", "while :; do echo y; done",
            ]
        )
        let output = Foundation.Pipe()
        process.standardOutput = output
        try process.run()
        // It writes until its output is no longer read.
        try #expect(mica.wait { try isWritingToFullPipe(process.processIdentifier) })
        var before: CInt = 0
        _ = ioctl(output.fileHandleForReading.fileDescriptor, UInt(FIONREAD), &before)
        #expect(before > 0)
        if how == "stop" {
            try #expect(mica("stop", "-t", "0", "talker").status == 0)
            try #expect(mica("ps", "-a").output.contains("Exited (137)"))
            // All of it is in the log, though no client has read it yet.
            try #expect(mica("logs", "talker").output.utf8.count >= Int(before))
            try #expect(mica("rm", "talker").status == 0)
        } else {
            try #expect(mica("rm", "-f", "talker").status == 0)
        }
        try #expect(box.store.containers().isEmpty)
        try #expect(box.isClean())
        #expect(process.isRunning)
        // Who reads after all gets everything.
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 137)
        #expect(text.count > Int(before))
    }

    @Test(arguments: ["stop", "rm"]) func `a monitor that sleeps cleans up behind its container`(
        _ how: String
    )
        throws
    {
        let process = mica.process(["run", "--name", "asleep", "box", "sleep", "1000"])
        try process.run()
        try #expect(mica.wait { try mica("ps", "-q").output != "" })
        let container = try box.containers.container(named: "asleep")
        try #expect(mica.wait { container.files.readState()?.monitor != nil })
        kill(try #require(container.files.readState()?.monitor).pid, SIGSTOP)
        kill(process.processIdentifier, SIGSTOP)
        defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
        if how == "stop" {
            try #require(mica("stop", "-t", "0", "asleep").status == 0)
            try #expect(mica("ps", "-a").output.contains("Exited (137)"))
            try #expect(mica("rm", "asleep").status == 0)
        } else {
            try #require(mica("rm", "-f", "asleep").status == 0)
        }
        try #expect(box.isClean())
        kill(process.processIdentifier, SIGCONT)
        process.waitUntilExit()
        #expect(process.terminationStatus == 137)
    }

    @Test func `three interrupts end a run whose program ignores them`() throws {
        let process = mica.process([
            "run", "--name", "deaf", "box", "sh", "-c",
            "trap 'echo no' INT; echo up; while :; do sleep 0.02; done",
        ])
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        try #expect(mica.wait { try mica("logs", "deaf").output == "up\n" })
        kill(process.processIdentifier, SIGINT)
        try #expect(mica.wait { try mica("logs", "deaf").output == "up\nno\n" })
        #expect(process.isRunning)
        // A slow machine may need more than three within ten seconds.
        #expect(
            try mica.wait {
                if process.isRunning { kill(process.processIdentifier, SIGINT) }
                return !process.isRunning
            }
        )
        process.waitUntilExit()
        // One that comes when the container has ended is mica's own.
        let isInterrupted =
            process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGINT
        #expect(process.terminationStatus == 137 || isInterrupted)
        try #expect(mica("ps", "-a").output.contains("Exited (137)"))
        try #expect(box.isClean())
    }

    @Test func `logs give back what was written, of which the oldest goes`() throws {
        let script = "printf 'a\\377\\000b\\n'; printf 'no end'"
        try #expect(mica("run", "--name", "bytes", "box", "sh", "-c", script).status == 0)
        try #expect(
            output(of: "$MICA logs bytes | od -An -tx1").split(separator: " ").joined(separator: " ")
                == "61 ff 00 62 0a 6e 6f 20 65 6e 64\n"
        )
        let stamped = try mica("logs", "-t", "--tail", "1", "bytes").output
        #expect(stamped.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z no end/) != nil)
        let many = ["--log-opt", "max-size=4k", "--log-opt", "max-file=2", "box", "sh", "-c"]
        let lines = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"
        let process = mica.process(["run", "-d", "--name", "many"] + many + [lines])
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #expect(mica("logs", "-f", "many").output.hasSuffix("line 2999\n"))
        let files = try box.containers.container(named: "many").files.directory
        let sizes = try files.names().map { String(decoding: $0, as: UTF8.self) }.filter {
            $0.hasPrefix("log.")
        }
        .map { try files.appending($0).status().st_size }
        #expect(sizes.count == 2)
        #expect(sizes.allSatisfy { $0 <= 4096 })
        try #expect(mica("run", "--log-opt", "max-size=much", "box", "true").status == 125)
    }

    @Test(arguments: ["077", "000"]) func `a container does not depend on its caller's umask`(_ umask: String)
        throws
    {
        let volume = box.root.outside.appending("made/here").string
        let script = """
            umask \(umask)
            exec $MICA run --rm -u ann -v \(volume):/made box sh -c '
                cat /etc/hosts /etc/hostname /etc/resolv.conf > /dev/null && ls /made /proc/self/status > /dev/null
                stat -c "%a %n" /etc/hosts /etc/hostname /etc/resolv.conf /made /dev /proc; umask'
            """
        try #expect(
            output(of: script) == """
                644 /etc/hosts
                644 /etc/hostname
                644 /etc/resolv.conf
                755 /made
                755 /dev
                555 /proc
                0022

                """
        )
        for path in [box.root.outside.appending("made"), box.root.outside.appending("made/here")] {
            try #expect(path.status().st_mode & 0o777 == 0o755)
        }
    }

    @Test func `a store is closed whatever the umask, and what is secret in it too`() throws {
        let store = box.root.base.appending("another")
        let tar = box.root.base.appending("root.tar")
        let script = """
            umask 0
            tar -C \(box.root.path) -cf \(tar) bin etc
            $MICA import --root \(store) -q \(tar) box > /dev/null
            $MICA run --root \(store) -d --name secret -e PASSWORD=secret box sleep 1000 > /dev/null
            find \(store) -maxdepth 3 -perm /077 ! -type l -printf '%m %P\n' | sed 's,/[0-9a-f]*/,/ID/,' | sort
            $MICA rm --root \(store) -f secret > /dev/null
            """
        // What a container's users read, in a directory that no other user enters, is open. So is the root of a snapshot.
        try #expect(
            output(of: script) == """
                644 containers/ID/hostname
                644 containers/ID/hosts
                644 containers/ID/resolv.conf
                755 containers/ID/rootfs
                755 snapshots/ID/upper

                """
        )
    }

    @Test func `what images and containers name reaches no terminal as it is`() throws {
        let odd = "\u{1b}]0;mine\u{7}\u{9b}2J"
        let directory = box.root.outside.string
        _ = try mica("mount", "--rw", "--name", "odd", "box", directory)
        #expect(FileManager.default.createFile(atPath: "\(directory)/\(odd)", contents: nil))
        try #expect(mica("umount", directory).status == 0)
        // script(1) gives it a terminal.
        func onTerminal(_ command: String) throws -> String {
            try output(of: "ODD=$(printf '\(odd)'); export ODD; script -qec '\(command)' /dev/null")
        }
        let commands = [
            "$MICA diff odd", "$MICA run --name command box sh -c true \"$ODD\"",
            "$MICA run --rm box \"$ODD\"",
            "$MICA ps -a --no-trunc", "$MICA inspect command", "$MICA run \"$ODD\"", "$MICA logs \"$ODD\"",
            "$MICA snapshot prepare \"$ODD\"", "$MICA snapshot ls", "$MICA snapshot ls -q",
            "$MICA gc --explain",
            "$MICA \"$ODD\"", "$MICA run --network \"$ODD\" box", "$MICA import \"$ODD\"",
        ]
        for command in commands {
            let text = try onTerminal(command)
            let bad = text.unicodeScalars.filter { Printable.isControl($0) && $0 != "\r" && $0 != "\n" }
            #expect(bad.isEmpty, "\(command): \(Printable.text(text))")
        }
        try #expect(onTerminal("$MICA diff odd").contains("A /\\x1b]0;mine\\x07\\x9b2J"))
        // A program gets the name itself.
        try #expect(mica("diff", "odd").output.contains("A /\(odd)\n"))
        try #expect(mica("snapshot", "ls", "-q").output.contains("\(odd)\n"))
        // What is said of it is for people in any case.
        try #expect(mica("run", "--rm", "box", odd).error.contains("\\x1b]0;mine\\x07\\x9b2J: not found"))
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
            try #expect(mica.wait { try !box.store.containers().isEmpty })
            if round % 2 == 0 {
                try #expect(mica("rm", "-f", "new").status == 0)
                process.waitUntilExit()
            } else {
                try #expect(mica.wait { try box.containers.container(named: "new").files.lock.exists })
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
}
