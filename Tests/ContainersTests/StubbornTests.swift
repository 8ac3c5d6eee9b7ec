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

/// Who stands outside: a root in a container that does not want to end, and a user who has put a command to sleep.
@Suite(
    "A container that does not want to end",
    .enabled(
        if: MicaCommand.isPossible && TestRoot.canCompile,
        "needs root, busybox-static, gcc and the built mica"
    ),
    .timeLimit(.minutes(40))
)
struct StubbornTests {
    let box: TestStore
    let mica: MicaCommand
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    /// More than a kill may hold open, beside each other, with names that are no text.
    @Test func `ends with all its frozen cgroups, however many there are`() throws {
        let script = "i=0; while [ $i -lt 230 ]; do sleep 1000 & i=$((i+1)); done; echo up; wait"
        let run = try mica("run", "-d", "--name", "ice", "box", "sh", "-c", script)
        try #require(mica.wait { try mica("logs", "ice").output == "up\n" })
        let id = String(run.output.dropLast())
        let groups = MountTable.current().entries.filter { $0.type.hasPrefix("cgroup") }
            .map { $0.target.appending("mica/\(id)") }
        let (group, door, word) = try #require(
            groups.lazy.map { ($0, "freezer.state", "FROZEN") }.first { $0.0.appending($0.1).exists }
                ?? groups.lazy.map { ($0, "cgroup.freeze", "1") }.first { $0.0.appending($0.1).exists }
        )
        let pids = try String(contentsOfFile: group.appending("cgroup.procs").string, encoding: .utf8)
            .split(separator: "\n")
        try #require(pids.count > 230)
        for (number, pid) in pids.dropFirst().enumerated() {
            let child = FilePath(
                platformString: Array(group.string.utf8CString.dropLast()) + [0x2f, -1, 0x66]
                    + Array("\(number)".utf8CString)
            )
            try child.makeDirectory()
            try OwnedFD.open(child.appending("cgroup.procs"), O_WRONLY).writeAll(Array(pid.utf8))
            try OwnedFD.open(child.appending(door), O_WRONLY).writeAll(Array(word.utf8))
        }
        try #expect(mica("rm", "-f", "ice").status == 0)
        #expect(groups.allSatisfy { !$0.exists })
        try #expect(box.isClean())
    }

    /// Process 1 ends after all others of its namespace were waited for, and their parent sleeps.
    @Test(arguments: ["stop", "rm"]) func `ends beside an exec that was put to sleep`(_ verb: String) throws {
        try #require(mica("run", "-d", "--name", "sleeper", "box", "sleep", "1000").status == 0)
        let exec = mica.process(["exec", "sleeper", "sh", "-c", "touch /tmp/in; sleep 1000"])
        try exec.run()
        defer {
            kill(exec.processIdentifier, SIGKILL)
            exec.waitUntilExit()
        }
        try #require(mica.wait { try mica("exec", "sleeper", "test", "-e", "/tmp/in").status == 0 })
        kill(exec.processIdentifier, SIGSTOP)
        let words = verb == "stop" ? ["stop", "-t", "0", "sleeper"] : ["rm", "-f", "sleeper"]
        try #expect(mica.run(words).status == 0)
        // It was woken, and ends by itself.
        exec.waitUntilExit()
        #expect(exec.terminationStatus == 128 + SIGKILL)
        _ = try mica("rm", "-f", "sleeper")
        try #expect(box.isClean())
    }

    /// The kernel stops a job in the background that touches its terminal, and again whenever it is woken.
    @Test(arguments: ["-i", "-t", "-it"]) func `ends beside an exec in the background of somebody's terminal`(
        _ options: String
    ) throws {
        try #require(mica("run", "-d", "--name", "up", "box", "sleep", "1000").status == 0)
        let result = try onTerminal(
            """
            $MICA exec \(options) up sleep 77 &
            until [ "$(jobs -s)" ] || $MICA exec up ps | grep -q 'sleep 77'; do sleep 0.05; done
            timeout 600 $MICA stop -t 0 up; echo "stop: $?"
            timeout 600 $MICA rm -f up; echo "rm: $?"
            kill -CONT %1; kill -9 %1
            """
        )
        #expect(result.contains("stop: 0") && result.contains("rm: 0"), "\(result)")
        try #expect(box.isClean())
    }

    @Test func `is not started from the background of a terminal that it is to have`() throws {
        let result = try onTerminal(
            """
            $MICA run -it --name it box sleep 1000 &
            until [ "$(jobs -s)" ] || [ "$($MICA ps -q)" ]; do sleep 0.05; done
            $MICA ps; timeout 600 $MICA stop -t 0 it; echo "stop: $?"
            timeout 600 $MICA rm -f it; echo "rm: $?"
            kill -9 %1
            """
        )
        #expect(
            result.contains("stop: 0") && result.contains("rm: 0") && !result.contains("Up "),
            "\(result)"
        )
        try #expect(box.isClean())
    }

    @Test func `in the background reads what is typed once it is in the foreground`() throws {
        try #require(mica("run", "-d", "--name", "up", "box", "sleep", "1000").status == 0)
        let result = try onTerminal(
            """
            $MICA exec -i up head -n 1 &
            until $MICA exec up ps | grep -q 'head -n'; do sleep 0.05; done
            fg
            """,
            typing: "typed\n"
        )
        // The terminal's echo, and the program's answer.
        #expect(result.components(separatedBy: "typed").count == 3, "\(result)")
        try #expect(mica("rm", "-f", "up").status == 0)
        try #expect(box.isClean())
    }

    /// What a shell with job control prints, on a terminal of its own.
    private func onTerminal(_ script: String, typing text: String = "") throws -> String {
        let process = mica.process(["-qec", "set -m; \(script)", "/dev/null"])
        process.environment?["MICA"] = process.executableURL?.path
        process.environment?["SHELL"] = "/bin/bash"
        process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        let (input, output) = (Foundation.Pipe(), Foundation.Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        let said = output.fileHandleForReading.readDataToEndOfFile()
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        return String(decoding: said, as: UTF8.self)
    }

    @Test func `is stopped when only its first thread has ended`() throws {
        try box.root.compile(
            """
            #include <pthread.h>
            #include <stdio.h>
            #include <sys/syscall.h>
            #include <unistd.h>
            static void *stay(void *none) {
                char state = 0;
                while (state != 'Z') {
                    FILE *stat = fopen("/proc/self/stat", "r");
                    fscanf(stat, "%*d (%*[^)]) %c", &state);
                    fclose(stat);
                    usleep(1000);
                }
                puts("on");
                fflush(stdout);
                for (;;) pause();
                return none;
            }
            int main(void) {
                pthread_t thread;
                pthread_create(&thread, 0, stay, 0);
                syscall(SYS_exit, 0);
            }
            """,
            to: "headless"
        )
        try #require(mica("run", "-d", "--name", "headless", "box", "/bin/headless").status == 0)
        try #require(mica.wait { try mica("logs", "headless").output == "on\n" })
        try #expect(mica("kill", "-s", "WINCH", "headless").status == 0)
        // Another thread of it has what the first one had; the kernel has to have a word for a thread.
        let exec = try mica("exec", "headless", "cat", "/etc/hostname")
        let release = Machine.kernel.release.split(separator: ".").prefix(2).compactMap { Int($0) }
        if release.lexicographicallyPrecedes([6, 9]) {
            #expect(exec.status == 125 && exec.error.contains("first thread"))
        } else {
            #expect(exec.status == 0 && exec.output.count == 13, "\(exec)")
        }
        try #expect(mica("stop", "-t", "0", "headless").status == 0)
        try #expect(mica("ps", "-q").output.isEmpty)
        try #expect(mica("ps", "-a").output.contains("Exited (137)"))
        try #expect(mica("rm", "headless").status == 0)
        try #expect(box.isClean())
    }

    @Test func `lets nobody wait for what it traces`() throws {
        try box.root.compile(
            """
            #include <ctype.h>
            #include <dirent.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <sys/ptrace.h>
            #include <unistd.h>
            int main(void) {
                static char seen[1 << 22];
                for (;; usleep(1000)) {
                    DIR *proc = opendir("/proc");
                    for (struct dirent *entry; (entry = readdir(proc));) {
                        int pid = atoi(entry->d_name);
                        if (pid <= 1 || pid == getpid() || seen[pid]) continue;
                        if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0) continue;
                        seen[pid] = 1;
                        puts("seized");
                        fflush(stdout);
                    }
                    closedir(proc);
                }
            }
            """,
            to: "seize"
        )
        try #require(mica("run", "-d", "--name", "tracer", "box", "/bin/seize").status == 0)
        // Without a child, which its parent could not wait for.
        let waits =
            "t=0; while [ $t = 0 ]; do while read -r k v; do [ $k != TracerPid: ] || t=$v; done </proc/$$/status; done"
        try #expect(mica("exec", "tracer", "sh", "-c", "\(waits); exit 7").status == 7)
        try #expect(mica("logs", "tracer").output.contains("seized"))
        try #expect(mica("exec", "tracer", "sh", "-c", "\(waits); kill -9 $$").status == 128 + SIGKILL)
        try #expect(mica("rm", "-f", "tracer").status == 0)
        try #expect(box.isClean())
    }
}
