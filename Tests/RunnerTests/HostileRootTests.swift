import ContainerFixtures
import Foundation
import Linux
import Runner
import Synchronization
import SystemPackage
import Testing

import Glibc

/// Who stands outside: root in a container, who looks for a way to the host through whatever enters.
@Suite(.enabled(if: TestRoot.canCompile, "needs root, busybox-static and gcc"), .timeLimit(.minutes(40)))
struct `A hostile root in a container` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    /// Stops every mica-enter that it sees, tries all doors to it, and lets it go on. Prints `seen`, and what opened.
    private static let watcher = #"""
        #define _GNU_SOURCE
        #include <dirent.h>
        #include <fcntl.h>
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/ptrace.h>
        #include <sys/syscall.h>
        #include <sys/uio.h>
        #include <time.h>
        #include <unistd.h>

        static int is_enter(int pid) {
            char path[64], name[32] = "";
            snprintf(path, sizeof path, "/proc/%d/comm", pid);
            int fd = open(path, O_RDONLY);
            if (fd < 0) return 0;
            ssize_t count = read(fd, name, sizeof name - 1);
            close(fd);
            return count > 0 && strncmp(name, "mica-enter", 10) == 0;
        }

        static void attack(int pid) {
            static const char *files[] = {"mem", "environ", "exe", "maps", "auxv", "cwd", "root", "fd/0", "fd/4", "stack",
                                          "syscall", "io", "pagemap", "map_files", "task"};
            char path[64], text[256];
            for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
                snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
                // Some open for anybody, and refuse to be read.
                int fd = open(path, O_RDONLY);
                if (fd >= 0 && (read(fd, text, sizeof text) > 0 || strchr("cr", *files[i])) && is_enter(pid))
                    printf("opened %s\n", files[i]);
                close(fd);
                fd = open(path, O_WRONLY);
                if (fd >= 0 && pwrite(fd, text, 1, 0x400000) >= 0 && is_enter(pid)) printf("wrote %s\n", files[i]);
                close(fd);
                if (readlink(path, text, sizeof text) >= 0 && is_enter(pid)) printf("read the link %s\n", files[i]);
            }
            if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 && is_enter(pid)) puts("traced");
            struct iovec mine = {text, 8}, theirs = {(void *)0x400000, 8};
            if (process_vm_readv(pid, &mine, 1, &theirs, 1, 0) >= 0 && is_enter(pid)) puts("read its memory");
            int pidfd = syscall(SYS_pidfd_open, pid, 0);
            if (pidfd >= 0 && syscall(SYS_pidfd_getfd, pidfd, 4, 0) >= 0 && is_enter(pid)) puts("took a descriptor");
            close(pidfd);
        }

        int main(void) {
            int seen = 0;
            puts("ready");
            fflush(stdout);
            // On a busy machine few of them are caught.
            for (time_t end = time(0) + 30; seen < 20 && time(0) < end;) {
                DIR *proc = opendir("/proc");
                for (struct dirent *entry; (entry = readdir(proc));) {
                    int pid = atoi(entry->d_name);
                    if (pid < 2 || !is_enter(pid) || kill(pid, SIGSTOP) < 0) continue;
                    if (is_enter(pid)) { seen++; attack(pid); }
                    kill(pid, SIGCONT);
                }
                closedir(proc);
            }
            if (seen) printf("seen\n");
            return 0;
        }
        """#

    @Test func `finds no door to what enters its container: memory, files, descriptors, tracing`() throws {
        try root.compile(`A hostile root in a container`.watcher, to: "watch")
        // The worst case: no filter that would keep it from trying.
        let streams = try ProcessStreams(interactive: false)
        let proxy = try StdioProxy()
        let leader = try root.start(root.spec(["/bin/watch"]), streams, filter: nil)
        let enterer = EnteringThread(root, leader)
        let collected = Collected()
        let status = try proxy.run(leader, streams) { collected.add($0, $1) }
        enterer.stop()
        // A busy machine may show it none; whatever it opened is a line of its own.
        let doors = Set(collected.output.split(separator: "\n")).subtracting(["ready", "seen"])
        #expect(doors.isEmpty && collected.output.hasPrefix("ready\n"), "\(collected.output)")
        #expect(status.rawValue == 0)
    }

    @Test(arguments: ["/proc/self/exe", "/proc/thread-self/exe", "/proc/1/exe"])
    func `can't execute the program that enters`(_ path: String) throws {
        let direct = #expect(throws: Failure.self) { try root.run([path]) }
        #expect(direct?.exitCode == 126)
        try root.write("script", Data("#!\(path)\n".utf8), mode: 0o755)
        let script = #expect(throws: Failure.self) { try root.run(["/script"]) }
        #expect(script?.exitCode == 126)
    }

    @Test func `finds nothing of mica's to execute or to overwrite once it runs`() throws {
        let outcome = try root.shell(
            "readlink /proc/1/exe /proc/self/exe; ls /proc/1/fd; cat /proc/1/environ | grep -c ."
        )
        #expect(!outcome.output.contains("mica"))
    }

    @Test func `what enters is a sealed copy, without an environment, that can't be written by anybody`()
        throws
    {
        let streams = try ProcessStreams()
        let antechamber = try Sandbox.prepare(
            root.spec(["/bin/true"]),
            streams: streams,
            group: nil,
            diesWithCaller: false
        )
        let pid = antechamber.pid
        #expect(readlink("/proc/\(pid)/exe")?.hasPrefix("/memfd:mica-enter") == true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/environ")).isEmpty)
        let program = try OwnedFD.open(FilePath("/proc/\(pid)/exe"), O_RDONLY)
        #expect(program.use { fcntl($0, 1034) } == 0xf)  // F_GET_SEALS: seal, shrink, grow, write
        #expect(open("/proc/\(pid)/exe", O_WRONLY) == -1)
        #expect(try program.status().st_mode & 0o777 == 0)
    }

    @Test func `has a session keyring of its own`() throws {
        try root.compile(
            """
            #include <stdio.h>
            #include <sys/syscall.h>
            int main(void) { printf("%ld", syscall(SYS_keyctl, 0, -3, 0)); }
            """,
            to: "keyring"
        )
        let ours = try host(root.path.appending("bin/keyring").string)
        let first = try root.run(["/bin/keyring"], filter: nil)
        let second = try root.run(["/bin/keyring"], filter: nil)
        let all = [first.output, second.output, String(decoding: ours, as: UTF8.self)]
        #expect(Set(all).count == 3)
        #expect(all.allSatisfy { (Int($0) ?? 0) > 0 })
    }

    /// What a program prints on the host.
    private func host(_ program: String) throws -> Data {
        let process = Process()
        let output = Foundation.Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.standardOutput = output
        try process.run()
        process.waitUntilExit()
        return output.fileHandleForReading.readDataToEndOfFile()
    }

    private func readlink(_ path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }
}

/// Enters a container again and again until it is told to stop, or the container has ended.
private final class EnteringThread: Sendable {
    private let isEnded = Shared()
    private let thread: WorkerThread?

    init(_ root: TestRoot, _ leader: ContainerProcess) {
        let ended = isEnded
        thread = try? WorkerThread {
            while !ended.withLock({ $0 }) {
                guard let streams = try? ProcessStreams(),
                    let process = try? Sandbox.join(
                        leader.pidfd,
                        pid: leader.pid,
                        ProcessSpec(arguments: ["/bin/true"]),
                        of: root.spec([]),
                        streams: streams,
                        group: nil,
                        filter: nil
                    )
                else {
                    usleep(1000)
                    continue
                }
                _ = try? process.wait()
            }
        }
    }

    func stop() {
        isEnded.withLock { $0 = true }
        thread?.join()
    }
}

/// A Mutex that closures can share.
private final class Shared: Sendable {
    private let value = Mutex(false)
    func withLock<R>(_ body: (inout Bool) -> R) -> R { value.withLock { body(&$0) } }
}
