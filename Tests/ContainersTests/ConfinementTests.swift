import ContainerFixtures
import Containers
import Foundation
import Linux
import Runner
import Snapshots
import SystemPackage
import Testing

import Glibc

@Suite(
    .enabled(
        if: MicaCommand.isPossible && TestRoot.canCompile,
        "needs root, busybox-static, gcc and the built mica"
    ),
    .timeLimit(.minutes(40))
)
struct `What a container may do` {
    let box: TestStore
    let mica: MicaCommand
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    /// The directories of a container's cgroups.
    private func groups(of id: String) -> [String] {
        MountTable.current().entries.filter { $0.type.hasPrefix("cgroup") }
            .map { "\($0.target)/mica/\(id)" }
            .filter { FilePath($0).exists }
    }

    @Test func `is limited as the command line says`() throws {
        let pids = try mica(
            "run",
            "--rm",
            "--pids-limit",
            "6",
            "box",
            "sh",
            "-c",
            "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done"
        )
        #expect(pids.error.contains("fork"))
        let memory = try mica(
            "run",
            "--rm",
            "-m",
            "16m",
            "box",
            "dd",
            "if=/dev/zero",
            "of=/dev/null",
            "bs=100M",
            "count=1"
        )
        #expect(memory.status == 137)
        for wrong in [
            ["-m", "1"], ["--cpus", "0"], ["--pids-limit", "x"], ["--security-opt", "apparmor=x"],
        ] {
            let result = try mica.run(["run", "--rm"] + wrong + ["box", "true"])
            #expect(result.status == 125, "\(wrong)")
            #expect(result.error.split(separator: "\n").count == 2, "\(result.error)")
        }
        try #expect(box.store.containers().isEmpty)
    }

    @Test func `is filtered unless asked otherwise, for exec as well`() throws {
        let status = ["grep", "-E", "Seccomp:|NoNewPrivs", "/proc/self/status"]
        let usual = "NoNewPrivs:\t0\nSeccomp:\t2\n"
        try #expect(mica.run(["run", "--rm", "box"] + status).output == usual)
        let open = try mica.run(["run", "--rm", "--security-opt", "seccomp=unconfined", "box"] + status)
        #expect(open.output == "NoNewPrivs:\t0\nSeccomp:\t0\n")
        let strict = try mica.run(["run", "--rm", "--security-opt", "no-new-privileges", "box"] + status)
        #expect(strict.output == "NoNewPrivs:\t1\nSeccomp:\t2\n")

        let profile = box.root.base.appending("profile.json").string
        let json =
            #"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}"#
        try Data(json.utf8).write(to: URL(fileURLWithPath: profile))
        try #require(
            mica("run", "-d", "--name", "own", "--security-opt", "seccomp=\(profile)", "box", "sleep", "1000")
                .status == 0
        )
        // It is the container's from then on.
        try FilePath(profile).unlink()
        try #expect(mica("exec", "own", "/bin/busybox", "mkdir", "/x").error.contains("No space left"))
        try #expect(mica("rm", "-f", "own").status == 0)
        try #expect(mica("run", "--security-opt", "seccomp=\(profile)", "box", "true").status == 125)
        try #expect(box.store.containers().isEmpty)
    }

    @Test(arguments: [
        ("sendmsg", "SCMP_ACT_ERRNO"), ("sendmsg", "SCMP_ACT_KILL_PROCESS"),
        ("execve", "SCMP_ACT_KILL_PROCESS"),
        ("setgroups", "SCMP_ACT_KILL"),
    ]) func `is not entered with a profile that forbids that, and the message says so`(
        call: String,
        action: String
    ) throws {
        let profile = box.root.base.appending("profile.json").string
        let json =
            #"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["\#(call)"],"action":"\#(action)"}]}"#
        try Data(json.utf8).write(to: URL(fileURLWithPath: profile))
        let option = "seccomp=\(profile)"
        let result = try mica("run", "--rm", "--security-opt", option, "box", "sh", "-c", "echo ran")
        if call == "execve" {
            // Said before: what ends it then is the program's.
            #expect(result.status == 128 + SIGSYS)
        } else {
            #expect(result.status == 125)
            #expect(result.error.contains("seccomp profile"), "\(result.error)")
        }
        #expect(result.output.isEmpty)
        try #expect(box.isClean())
    }

    /// What enters a frozen cgroup of version 2 stops before it has begun, and its parent with it.
    @Test func `is not entered while it is frozen`() throws {
        let run = try mica("run", "-d", "--name", "ice", "box", "sleep", "1000")
        let groups = groups(of: String(run.output.dropLast()))
        let door = try #require(groups.map { "\($0)/cgroup.freeze" }.first { FilePath($0).exists })
        try "1".write(toFile: door, atomically: false, encoding: .utf8)
        let exec = try mica("exec", "ice", "true")
        #expect(exec.status == 125)
        #expect(exec.error.contains("is paused"))
        try "0".write(toFile: door, atomically: false, encoding: .utf8)
        try #expect(mica("exec", "ice", "true").status == 0)
        try "1".write(toFile: door, atomically: false, encoding: .utf8)
        try #expect(mica("rm", "-f", "ice").status == 0)
        try #expect(box.isClean())
    }

    @Test func `one that outlives its monitor is ended, cgroup and all, by the next command that looks`()
        throws
    {
        try box.root.compile(
            """
            #include <signal.h>
            #include <stdio.h>
            #include <sys/prctl.h>
            #include <unistd.h>
            int main(void) { prctl(PR_SET_PDEATHSIG, 0); puts("free"); fflush(stdout); for (;;) pause(); }
            """,
            to: "stay"
        )
        let run = try mica("run", "-d", "--name", "stays", "box", "/bin/stay")
        let id = String(run.output.dropLast())
        try #require(mica.wait { try mica("logs", "stays").output == "free\n" })
        let process = try #require(box.containers.container(named: "stays").files.readState()?.process)
        let groups = groups(of: id)
        try #require(!groups.isEmpty)

        // Its monitor, which is this test's own.
        let parent = try String(contentsOfFile: "/proc/\(process.pid)/stat", encoding: .utf8)
            .split(separator: ")").last?.split(separator: " ")[1]
        kill(try #require(parent.flatMap { Int32($0) }), SIGKILL)
        try #require(mica.wait { !FileLock.isHeld(try box.containers.container(named: "stays").files.lock) })
        #expect(!process.waitForEnd(milliseconds: 200))

        try #expect(mica("ps", "-a").output.contains("Exited"))
        #expect(process.waitForEnd(milliseconds: 600_000))
        #expect(groups.allSatisfy { !FilePath($0).exists })
        try #expect(mica("rm", "stays").status == 0)
        try #expect(box.isClean())
    }
}
