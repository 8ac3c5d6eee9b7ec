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
    .timeLimit(.minutes(20))
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

    @Test func `is stopped when only its first thread has ended`() throws {
        try box.root.compile(
            """
            #include <pthread.h>
            #include <stdio.h>
            #include <sys/syscall.h>
            #include <unistd.h>
            static void *stay(void *none) { usleep(100000); puts("on"); fflush(stdout); for (;;) pause(); return none; }
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
        let exec = try mica("exec", "headless", "true")
        #expect(exec.status != 0)
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
