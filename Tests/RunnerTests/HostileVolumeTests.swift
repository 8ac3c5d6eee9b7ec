import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

/// Who stands outside: an image with links, and a volume that an earlier container has written to.
@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `A hostile volume` {
    let root: TestRoot
    let volume: FilePath

    init() throws {
        root = try TestRoot()
        volume = root.base.appending("volume")
        try volume.makeDirectory()
    }

    /// What may not be led to, by a link of the image at /data.
    @Test(arguments: [
        "/dev", "/proc", "/proc/sys", "/sys", "/sys/fs", "/dev/pts", "/dev/shm", "/", "/proc/self/root",
        "/sys/firmware", "/proc/acpi", "/proc/scsi", "/sys/devices/virtual/powercap",
    ])
    func `is not mounted where a link of the image leads it`(_ target: String) throws {
        symlink(target, root.path.appending("data").string)
        symlink("/proc/sys/kernel/hostname", volume.appending("null").string)
        let result = Result {
            try root.shell("cat /proc/keys; echo x > /proc/keys; ls -la /proc/keys") {
                $0.volumes = [Volume(source: volume.string, destination: "/data")]
            }
        }
        // Links of /proc lead to nothing before it is mounted, and then to what is the image's.
        if case .success(let outcome) = result { #expect(!outcome.output.contains("box")) }
        #expect(throws: Failure.self) { _ = try result.get() }
    }

    @Test func `is not mounted where a link of another volume leads it`() throws {
        let other = root.base.appending("other")
        try other.makeDirectory()
        symlink("/dev", other.appending("x").string)
        symlink("/proc/sys/kernel/hostname", volume.appending("null").string)
        #expect(throws: Failure.self) {
            try root.shell("cat /proc/keys") {
                $0.volumes = [
                    Volume(source: other.string, destination: "/data"),
                    Volume(source: volume.string, destination: "/data/x"),
                ]
            }
        }
    }

    @Test func `in the place of /dev leaves masked what is masked`() throws {
        symlink("/proc/sys/kernel/hostname", volume.appending("null").string)
        let outcome = try root.shell("cat /proc/keys; cat /proc/timer_list; echo status $?") {
            $0.volumes = [Volume(source: volume.string, destination: "/dev")]
        }
        #expect(outcome.output == "status 0\n")
    }

    @Test func `is mounted in /dev where its own path says so`() throws {
        try Data("mine\n".utf8).write(to: URL(fileURLWithPath: volume.appending("f").string))
        let outcome = try root.shell("cat /dev/mine/f") {
            $0.volumes = [Volume(source: volume.string, destination: "/dev/mine")]
        }
        #expect(outcome.output == "mine\n")
    }

    @Test func `the null device of a container is no other's`() throws {
        // Of the host's as well: it is looked at, never changed.
        let before = try FilePath("/dev/null").status()
        for name in ["chmod", "chown"] { symlink("busybox", root.path.appending("bin/\(name)").string) }
        let outcome = try root.shell(
            "chmod 600 /proc/self/fd/0; chown 7:7 /proc/self/fd/0; stat -L -c '%a %u' /proc/self/fd/0"
        )
        #expect(outcome.output == "600 7\n", "\(outcome)")
        let after = try FilePath("/dev/null").status()
        #expect(after.st_mode == before.st_mode && after.st_uid == before.st_uid)
        #expect(
            after.st_ctim.tv_sec == before.st_ctim.tv_sec && after.st_ctim.tv_nsec == before.st_ctim.tv_nsec
        )
    }

    @Test func `an image's passwd that is a device or the kernel's is never opened`() throws {
        let passwd = root.path.appending("etc/passwd")
        for make in [
            { mknod(passwd.string, S_IFCHR | 0o666, 0xa << 8 | 235) },
            { mkfifo(passwd.string, 0o666) },
        ] {
            try passwd.unlink()
            try #require(make() == 0)
            let failure = #expect(throws: Failure.self) {
                try root.run(["/bin/true"]) { $0.process.user = "ann" }
            }
            #expect(failure?.message.contains("is not a file") == true)
        }
        try passwd.unlink()
        symlink("/proc/uptime", passwd.string)
        let leader = try root.start(
            root.spec(["/bin/sleep", "1000"]) { $0.process.user = "0:0" },
            try ProcessStreams()
        )
        defer {
            try? leader.send(.kill)
            _ = try? leader.wait()
        }
        let failure = #expect(throws: Failure.self) {
            try Sandbox.join(
                leader.pidfd,
                pid: leader.pid,
                ProcessSpec(arguments: ["/bin/true"], user: "ann"),
                of: root.spec([]),
                streams: try ProcessStreams(),
                group: nil,
                filter: TestRoot.filter
            )
        }
        #expect(failure?.message.contains("is not a file") == true)
    }
}
