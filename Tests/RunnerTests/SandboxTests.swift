import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
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

    @Test func `lets everybody listen on every port of a network of its own, and ping`() throws {
        let settings = "cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range"
        let own = try root.shell(
            """
            \(settings)
            echo heard | busybox nc -l -p 80 &
            for i in $(seq 6000); do busybox nc 127.0.0.1 80 </dev/null && break; sleep 0.1; done
            """
        ) { $0.process.user = "ann" }
        #expect(own.output == "0\n0\t2147483647\nheard\n", "\(own)")
        let host = try root.shell(settings) { $0.network = .host }
        let start = try String(
            contentsOfFile: "/proc/sys/net/ipv4/ip_unprivileged_port_start",
            encoding: .utf8
        )
        #expect(host.output.hasPrefix(start))
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

    /// Where the kernel's filesystems and mica's own files are mounted an image may have anything.
    @Test(arguments: ["proc", "dev", "sys"], ["a file", "a link", "a link to nothing"])
    func `says which path of its image is in the way`(_ path: String, _ what: String) throws {
        switch what {
        case "a file": try root.write(path, Data("x".utf8))
        case "a link": symlink("tmp", root.path.appending(path).string)
        default: symlink("nowhere", root.path.appending(path).string)
        }
        let failure = #expect(throws: Failure.self) { try root.run(["/bin/true"]) }
        #expect(
            failure?.message.contains("image's file /\(path)") == true || what != "a file",
            "\(failure?.message ?? "")"
        )
        #expect(failure?.message.contains("link of the image: /\(path)") == true || what == "a file")
    }

    @Test(arguments: [
        "absent", "a file", "a pipe", "a link", "a link to nothing", "a directory", "a link to itself",
        "a link into /proc",
    ]) func `has hosts of its own whatever its image has there, or says what is in the way`(_ what: String)
        throws
    {
        let path = root.path.appending("etc/hosts").string
        switch what {
        case "a file": try root.write("etc/hosts", Data("theirs".utf8))
        case "a pipe": mkfifo(path, 0o644)
        case "a link":
            try root.write("tmp/hosts", Data("theirs".utf8))
            symlink("/tmp/hosts", path)
        case "a link to nothing": symlink("../run/hosts", path)
        case "a directory": mkdir(path, 0o755)
        case "a link to itself": symlink("hosts", path)
        case "a link into /proc": symlink("/proc/self/mounts", path)
        default: break
        }
        let hosts = root.base.appending("hosts")
        try Data("ours\n".utf8).write(to: URL(fileURLWithPath: hosts.string))
        let run = {
            try root.run(
                ["/bin/cat", "/etc/hosts"],
                files: [Volume(source: hosts.string, destination: "/etc/hosts")]
            )
        }
        guard ["a directory", "a link to itself", "a link into /proc"].contains(what) else {
            let outcome = try run()
            #expect(outcome.output == "ours\n", "\(outcome)")
            return
        }
        let failure = #expect(throws: Failure.self) { try run() }
        #expect(failure?.message.contains("/etc/hosts") == true, "\(failure?.message ?? "")")
    }

    @Test func `gets no new privileges where it is told so`() throws {
        let outcome = try root.shell("grep NoNewPrivs /proc/self/status") { $0.noNewPrivileges = true }
        #expect(outcome.output == "NoNewPrivs:\t1\n")
    }

    @Test func `lets su change users, both ways, unless new privileges are not to be had`() throws {
        symlink("busybox", root.path.appending("bin/su").string)
        // As Debian's /bin/su is; busybox gives the privileges up where it is anything else.
        chmod(root.path.appending("bin/busybox").string, 0o4755)
        try root.write("etc/passwd", Data("root::0:0::/:/bin/sh\nann::1000:1001::/:/bin/sh\n".utf8))
        let script = "/bin/su ann -c 'id -u; /bin/su root -c \"id -u\"'"
        let outcome = try root.shell(script)
        #expect(outcome.output == "1000\n0\n", "\(outcome)")
        let kept = try root.shell(script) { $0.noNewPrivileges = true }
        #expect(kept.output == "1000\n", "\(kept)")
        #expect(kept.status != 0)
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
        #expect(MountTable.current().targets(below: root.base).isEmpty)
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
