import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(20)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `A container` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    @Test func `runs a program and gives its output and status`() throws {
        let outcome = try root.shell("echo out; echo err >&2; exit 42")
        #expect(outcome.output == "out\n")
        #expect(outcome.error == "err\n")
        #expect(outcome.status == 42)
    }

    @Test func `is process 1 of namespaces of its own`() throws {
        let kinds = ["mnt", "pid", "uts", "ipc", "net", "cgroup"]
        let outcome = try root.shell(
            "echo $$; for n in \(kinds.joined(separator: " ")); do readlink /proc/self/ns/$n; done"
        )
        var lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines.removeFirst() == "1")
        for (kind, inside) in zip(kinds, lines) {
            let outside = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(kind)")
            #expect(inside.hasPrefix("\(kind):["))
            #expect(inside != outside)
        }
    }

    @Test func `shares the host's network when asked to`() throws {
        let outcome = try root.shell("readlink /proc/self/ns/net") { $0.network = .host }
        let outside = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net")
        #expect(outcome.output == outside + "\n")
    }

    @Test func `has the loopback interface up and no other`() throws {
        let outcome = try root.shell(
            "cat /proc/net/dev | grep -c :; ip addr show lo | grep -o 'inet 127.0.0.1/8'"
        )
        #expect(outcome.output.contains("inet 127.0.0.1/8"))
    }

    @Test func `sees only its own processes`() throws {
        let outcome = try root.shell("echo /proc/[0-9]*")
        #expect(outcome.output == "/proc/1\n")
    }

    @Test func `has docker's default capabilities`() throws {
        let outcome = try root.shell("grep -E '^(Cap|NoNewPrivs)' /proc/self/status")
        #expect(
            outcome.output == """
                CapInh:\t0000000000000000
                CapPrm:\t00000000a80425fb
                CapEff:\t00000000a80425fb
                CapBnd:\t00000000a80425fb
                CapAmb:\t0000000000000000
                NoNewPrivs:\t0

                """
        )
    }

    @Test func `of a user has no capabilities in effect`() throws {
        let outcome = try root.shell("grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status; id") {
            $0.process.user = "ann"
        }
        #expect(
            outcome.output == """
                CapPrm:\t0000000000000000
                CapEff:\t0000000000000000
                CapBnd:\t00000000a80425fb
                uid=1000(ann) gid=1001(ann) groups=10(wheel),46(plugdev),1001(ann)

                """
        )
    }

    @Test func `has the standard devices, which work`() throws {
        let outcome = try root.shell(
            """
            cd /dev; stat -c '%n %F %a %t:%T' null zero full random urandom tty
            for l in ptmx fd stdin core; do readlink $l; done
            head -c 3 zero | wc -c 2>/dev/null || dd if=zero bs=3 count=1 2>/dev/null | cat > null && echo ok
            test -d shm && test -d pts && stat -c %a shm
            echo via > /dev/stdout
            """
        )
        #expect(
            outcome.output.hasPrefix(
                """
                null character special file 666 1:3
                zero character special file 666 1:5
                full character special file 666 1:7
                random character special file 666 1:8
                urandom character special file 666 1:9
                tty character special file 666 5:0
                pts/ptmx
                /proc/self/fd
                /proc/self/fd/0
                /proc/kcore

                """
            )
        )
        #expect(outcome.output.contains("1777\nvia\n"))
        try #expect(root.shell("echo via > /dev/stdout") { $0.process.user = "ann" }.output == "via\n")
    }

    @Test(arguments: ["/dev/disk", "/dev/shm/disk", "/tmp/disk", "/disk"])
    func `can make a device node but not open it`(_ path: String) throws {
        let outcome = try root.shell("mknod \(path) c 1 3 && cat \(path)")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("Permission denied"))
    }

    @Test func `has the hostname and files it was given`() throws {
        let hosts = root.base.appending("hosts")
        try Data("127.0.0.1 localhost\n".utf8).write(to: URL(fileURLWithPath: hosts.string))
        let outcome = try root.shell(
            "hostname; cat /etc/hosts",
            files: [Volume(source: hosts.string, destination: "/etc/hosts")]
        )
        #expect(outcome.output == "box\n127.0.0.1 localhost\n")
    }

    @Test func `starts in its directory, made where it is missing`() throws {
        try #expect(root.run(["pwd"]) { $0.process.directory = "/srv/app" }.output == "/srv/app\n")
        #expect(root.path.appending("srv/app").exists)
    }

    @Test func `does not find the host through a descriptor as working directory`() throws {
        for number in 3..<40 {
            let outcome = try? root.run(["ls", "/proc/self/cwd/home"]) {
                $0.process.directory = "/proc/self/fd/\(number)"
            }
            #expect(outcome == nil || outcome?.status != 0)
        }
    }

    @Test func `inherits no descriptors`() throws {
        let outcome = try root.shell("ls /proc/self/fd")
        // 3 is the directory that ls has open.
        #expect(outcome.output == "0\n1\n2\n3\n")
    }

    @Test func `has exactly the environment it was given, and HOME`() throws {
        let outcome = try root.run(["env"]) {
            $0.process.environment = ["PATH=/bin", "A=1"]
            $0.process.user = "ann"
        }
        #expect(outcome.output == "PATH=/bin\nA=1\nHOME=/home/ann\n")
    }

    @Test func `has a read-only root when asked to, and its own mounts stay writable`() throws {
        let outcome = try root.shell("touch /x; touch /dev/shm/y && echo shm") { $0.readOnlyRoot = true }
        #expect(outcome.error.contains("Read-only file system"))
        #expect(outcome.output == "shm\n")
    }

    @Test func `with a read-only root has read-only files of mica's as well`() throws {
        let hosts = root.base.appending("hosts")
        try Data("x\n".utf8).write(to: URL(fileURLWithPath: hosts.string))
        let outcome = try root.shell(
            "echo y > /etc/hosts",
            files: [Volume(source: hosts.string, destination: "/etc/hosts")]
        ) { $0.readOnlyRoot = true }
        #expect(outcome.error.contains("Read-only file system"))
    }

    @Test func `gets no new privileges where it is told so`() throws {
        let outcome = try root.shell("grep NoNewPrivs /proc/self/status") { $0.noNewPrivileges = true }
        #expect(outcome.output == "NoNewPrivs:\t1\n")
    }

    @Test(.enabled(if: TestRoot.canCompile, "needs gcc"))
    func `runs set-user-ID programs as root, within its bounding set`() throws {
        try root.compile(
            #"""
            #include <fcntl.h>
            #include <unistd.h>
            int main(void) { char t[4096]; int f = open("/proc/self/status", O_RDONLY); write(1, t, read(f, t, 4096)); }
            """#,
            to: "status"
        )
        chmod(root.path.appending("bin/status").string, 0o4755)
        let outcome = try root.run(["/bin/status"]) { $0.process.user = "ann" }
        #expect(outcome.output.contains("Uid:\t1000\t0\t0\t0\n"), "\(outcome)")
        #expect(outcome.output.contains("CapEff:\t00000000a80425fb\n"))
        let kept = try root.run(["/bin/status"]) {
            $0.process.user = "ann"
            $0.noNewPrivileges = true
        }
        #expect(kept.output.contains("Uid:\t1000\t1000\t1000\t1000\n"), "\(kept)")
    }

    @Test func `leaves no mount and no process behind`() throws {
        _ = try root.shell("sleep 1000 & sleep 1000 & exit 0")
        let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        #expect(!mounts.contains(root.base.string))
    }

    @Test func `runs beside others`() async throws {
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for number in 0..<16 {
                group.addTask { [root] in
                    let streams = try ProcessStreams()
                    let spec = ContainerSpec(
                        id: "",
                        process: ProcessSpec(arguments: ["/bin/sh", "-c", "exit \(number)"]),
                        hostname: "h\(number)"
                    )
                    let process = try root.start(spec, streams)
                    return try process.wait().rawValue - Int32(number)
                }
            }
            for try await difference in group { #expect(difference == 0) }
        }
    }
}
