import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

/// The table of what a container may not ask the kernel for. Whatever podman with runc denies is denied here.
@Suite(.enabled(if: TestRoot.canCompile, "needs root, busybox-static and gcc"), .timeLimit(.minutes(40)))
struct `System calls of a container` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    /// Fail with EPERM whatever their arguments are.
    private static let refused = [
        "mount", "umount2", "pivot_root", "open_tree", "move_mount", "mount_setattr", "fsopen", "fsconfig",
        "fsmount",
        "fspick", "setns", "open_by_handle_at", "fanotify_init", "quotactl", "quotactl_fd", "ustat", "sysfs",
        "uselib",
        "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon",
        "swapoff",
        "acct", "syslog", "bpf", "perf_event_open", "lookup_dcookie", "iopl", "ioperm", "vhangup",
        "sethostname",
        "setdomainname", "settimeofday", "clock_settime", "kcmp", "pidfd_getfd", "process_madvise",
        "userfaultfd",
        "vmsplice", "move_pages", "migrate_pages", "mbind", "get_mempolicy", "set_mempolicy",
    ]
    /// Do not exist.
    private static let absent = [
        "clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key", "keyctl",
    ]

    /// Of calls with arguments: what is refused with them, and what is not.
    private static let probes = #"""
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <sched.h>
        #include <signal.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/personality.h>
        #include <sys/socket.h>
        #include <sys/syscall.h>
        #include <sys/wait.h>
        #include <unistd.h>

        static const char *name(long result) {
            if (result >= 0) return "ok";
            switch (errno) {
                case EPERM: return "EPERM";
                case ENOSYS: return "ENOSYS";
                case EAFNOSUPPORT: return "EAFNOSUPPORT";
                default: return strerror(errno);
            }
        }
        #define TRY(text, call) (errno = 0, printf("%s %s\n", text, name(call)))
        #define CALL(call) (errno = 0, printf(#call " %s\n", name(syscall(SYS_##call, -1, -1, -1, -1, -1, -1))))

        #ifdef __x86_64__
        // The entrance of 32-bit programs.
        static long old(long number, long first, long second) {
            long result;
            __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(0L) : "memory", "r8", "r9", "r10", "r11");
            if (result < 0 && result > -4096) { errno = -result; return -1; }
            return result;
        }
        #endif

        static long cloned(unsigned long flags) {
            long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
            if (pid == 0) _exit(0);
            if (pid > 0) waitpid(pid, 0, 0);
            return pid;
        }

        int main(void) {
            CALLS
            static const struct { const char *name; unsigned long flag; } kinds[] = {
                {"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS}, {"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET},
                {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}};
            for (unsigned i = 0; i < 7; i++) {
                char text[64];
                sprintf(text, "clone.%s", kinds[i].name);
                TRY(text, cloned(kinds[i].flag));
                sprintf(text, "unshare.%s", kinds[i].name);
                TRY(text, unshare(kinds[i].flag));
                sprintf(text, "unshare.%s.files", kinds[i].name);
                TRY(text, unshare(kinds[i].flag | CLONE_FILES));
            }
            TRY("unshare.time", unshare(0x80));
            TRY("clone", cloned(0));
            TRY("unshare", unshare(CLONE_FILES));
            TRY("personality.norandom", syscall(SYS_personality, ADDR_NO_RANDOMIZE));
            TRY("personality", syscall(SYS_personality, 0xffffffff));
            for (int family = 1; family < 46; family++) {
                int fd = socket(family, family == AF_NETLINK ? SOCK_RAW : SOCK_DGRAM, 0);
                if (fd >= 0) printf("family %d\n", family), close(fd);
                else if (errno != EAFNOSUPPORT) printf("family %d %s\n", family, name(-1));
                int pair[2];
                if (socketpair(family, SOCK_STREAM, 0, pair) == 0) printf("pair %d\n", family);
                else if (errno != EAFNOSUPPORT && family != AF_INET && family != AF_INET6 && family != AF_NETLINK)
                    printf("pair %d %s\n", family, name(-1));
            }
        #ifdef __x86_64__
            long socketcall[] = {0};
            TRY("old socketcall", old(102, 1, (long)socketcall));
            TRY("old socketcall pair", old(102, 8, (long)socketcall));
            TRY("old packet", old(359, AF_PACKET, SOCK_RAW));
            TRY("old mount", old(21, 0, 0));
            TRY("old keyctl", old(288, 0, 0));
            TRY("old getpid", old(20, 0, 0));
        #endif
            return 0;
        }
        """#

    @Test func `are those that programs need, on both entrances, and nothing that leads out`() throws {
        let names = `System calls of a container`.refused + `System calls of a container`.absent
        let calls = names.map { "CALL(\($0));" }.joined(separator: "\n")
        try root.compile(
            `System calls of a container`.probes.replacingOccurrences(of: "CALLS", with: calls),
            to: "probe"
        )
        let outcome = try root.run(["/bin/probe"])
        #expect(outcome.status == 0)
        let lines = outcome.output.split(separator: "\n").map(String.init)
        var expected = `System calls of a container`.refused.map { "\($0) EPERM" }
        expected += `System calls of a container`.absent.map { "\($0) ENOSYS" }
        for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
            expected += ["clone.\(kind) EPERM", "unshare.\(kind) EPERM", "unshare.\(kind).files EPERM"]
        }
        expected += [
            "unshare.time EPERM", "clone ok", "unshare ok", "personality.norandom ENOSYS", "personality ok",
        ]
        expected += ["family \(AF_UNIX)", "pair \(AF_UNIX)"]
        expected += [AF_INET, AF_INET6, AF_NETLINK].map { "family \($0)" }
        #if arch(x86_64)
        expected += [
            "old socketcall ENOSYS", "old socketcall pair ENOSYS", "old packet EAFNOSUPPORT",
            "old mount EPERM", "old keyctl ENOSYS",
        ]
        expected += ["old getpid ok"]
        #endif
        #expect(lines == expected)
    }

    @Test func `x32 programs, which nobody has, are killed`() throws {
        #if arch(x86_64)
        try root.compile(
            "#include <sys/syscall.h>\nint main(void) { syscall(0x40000000 | SYS_getpid); }",
            to: "x32"
        )
        try #expect(root.run(["/bin/x32"]).status == 128 + SIGSYS)
        #endif
    }

    @Test func `are all there where the filter is left out`() throws {
        try root.compile(
            "#include <sys/syscall.h>\nint main(void) { return syscall(SYS_keyctl, 0, -3, 0) < 0; }",
            to: "keyring"
        )
        try #expect(root.run(["/bin/keyring"], filter: nil).status == 0)
        try #expect(root.run(["/bin/keyring"]).status == 1)
    }

    @Test func `are filtered for root and for users`() throws {
        for user in ["", "ann"] {
            let outcome = try root.shell("grep Seccomp: /proc/self/status") { $0.process.user = user }
            #expect(outcome.output == "Seccomp:\t2\n")
        }
    }

    @Test func `follow a profile of docker's format`() throws {
        let json = #"""
            {"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
             "syscalls": [
               {"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
               {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "args": [
                  {"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 12, "op": "SCMP_CMP_EQ"}]},
               {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
               {"names": ["symlink", "symlinkat"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
               {"names": ["sync"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "99.0"}}]}
            """#
        let profile = try SeccompProfile(json: Array(json.utf8), name: "test", capabilities: .container)
        let filter = try SeccompFilter(profile)
        try #expect(root.shell("/bin/busybox mkdir /new", filter: filter).error.contains("No space left"))
        try #expect(root.shell("/bin/busybox ln -s a /link", filter: filter).error.contains("not permitted"))
        try #expect(
            root.shell("/bin/busybox chmod 700 /tmp && /bin/busybox sync", filter: filter).status == 0
        )
        for (signal, isRefused) in [("USR1", true), ("USR2", true), ("CONT", false)] {
            let outcome = try root.shell("/bin/busybox kill -\(signal) $$ 2>&1; true", filter: filter)
            #expect(outcome.output.contains("Input/output error") == isRefused)
        }
    }

    @Test(arguments: [
        "", "[]", #"{"syscalls": []}"#, #"{"defaultAction": "SCMP_ACT_NOTIFY"}"#,
        #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_MAGIC"}]}"#,
        #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}]}"#,
    ])
    func `are not guessed from what is not a profile`(_ json: String) {
        #expect(throws: Failure.self) {
            try SeccompProfile(json: Array(json.utf8), name: "test", capabilities: .container)
        }
    }

    @Test func `a filter comes from the cache only where it is of the same profile and whole`() throws {
        let cache = root.base.appending("filter")
        let standard = try SeccompFilter(.standard, cachedAt: cache)
        #expect(try SeccompFilter(.standard) == standard)
        let whole = try OwnedFD.open(cache, O_RDONLY).contents(limit: 1 << 20)
        var other = SeccompProfile.standard
        other.otherwise = .killProcess
        #expect(try SeccompFilter(other, cachedAt: cache) != standard)
        for damaged in [[], Array(whole.dropLast(3)), Array(whole.dropFirst()), Array(whole.prefix(64))] {
            try Data(damaged).write(to: URL(fileURLWithPath: cache.string))
            #expect(try SeccompFilter(.standard, cachedAt: cache) == standard)
        }
        #expect(try OwnedFD.open(cache, O_RDONLY).contents(limit: 1 << 20) == whole)
    }
}
