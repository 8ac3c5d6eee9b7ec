import ContainerFixtures
import Containers
import Foundation
import Layers
import Linux
import Runner
import Snapshots
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isMountingPossible, "needs root, /dev/fuse, busybox-static and the built mica")
)
struct `With the real daemon` {
    let box: TestStore
    let mica: MicaCommand

    /// The store has an image `real`, whose layer is the test's root.
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box, mountsForReal: true)
        let tar = box.root.base.appending("root.tar").string
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/tar")
        process.arguments = ["-C", box.root.path.string, "-cf", tar, "."]
        try process.run()
        process.waitUntilExit()
        try #require(mica("import", "-q", tar, "real").status == 0)
    }

    /// Kills the micafs that serves `target`, which is this test's own, and waits for its lock to be free.
    private func killDaemon(of target: String) throws {
        let names = try FilePath("/proc" as String).names().map { String(decoding: $0, as: UTF8.self) }
        for pid in names.compactMap({ Int32($0) }) {
            guard
                let bytes = try? OwnedFD.open(FilePath("/proc/\(pid)/cmdline"), O_RDONLY).contents(
                    limit: 1 << 20
                )
            else { continue }
            let arguments = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            guard arguments.first?.hasSuffix("/micafs") == true, arguments.last == target else { continue }
            kill(pid, SIGKILL)
        }
        try #require(mica.wait { MountTable.current().isDead(FilePath(target)) })
    }

    @Test func `a container that ended starts again, and what is copied into it meanwhile is there`() throws {
        let script = "cat /in; echo x >> /left; cat /left; rm -rf /etc/group"
        try #expect(mica("create", "--name", "worker", "real", "sh", "-c", script).status == 0)
        try Data("in\n".utf8).write(to: URL(fileURLWithPath: box.root.outside.appending("in").string))
        try #expect(mica("cp", box.root.outside.appending("in").string, "worker:/").status == 0)
        try #expect(mica("ps", "-a").output.contains("Created"))
        try #expect(mica("start", "-a", "worker") == (0, "in\nx\n", ""))
        try #expect(mica("cp", "worker:/left", box.root.outside.string).status == 0)
        try #expect(mica("start", "-a", "worker").output == "in\nx\nx\n")
        try #expect(mica("diff", "worker").output == "C /etc\nD /etc/group\nA /in\nA /left\n")
        let tar = box.root.outside.appending("all.tar").string
        try #expect(mica("export", "-o", tar, "worker").status == 0)
        try #expect(mica("rm", "worker").status == 0)
        try #expect(mica.wait { try box.isClean() })
    }

    @Test func `what a container left can be looked at and changed, by its name`() throws {
        let directory = box.root.outside.string
        func contents() throws -> String { try String(contentsOfFile: directory + "/left", encoding: .utf8) }
        try #expect(mica("run", "--name", "worker", "real", "sh", "-c", "echo it > /left").status == 0)
        try #expect(mica("mount", "worker", directory).status == 0)
        try #expect(contents() == "it\n")
        #expect(!FileManager.default.createFile(atPath: directory + "/new", contents: nil))
        try #expect(mica("umount", directory).status == 0)
        try #expect(mica("mount", "--rw", "worker", directory).status == 0)
        #expect(FileManager.default.createFile(atPath: directory + "/new", contents: nil))
        try #expect(mica("umount", directory).status == 0)
        try #expect(mica("diff", "worker").output == "A /left\nA /new\n")

        // A snapshot of one's own, too; and one that runs is not to be written to by two.
        try #expect(mica("mount", "--rw", "--name", "mine", "real", directory).status == 0)
        try #expect(mica("umount", directory).status == 0)
        try #expect(mica("mount", "mine", directory).status == 0)
        try #expect(mica("umount", directory).status == 0)
        try #expect(mica("run", "-d", "--name", "busy", "real", "sleep", "1000").status == 0)
        let refused = try mica("mount", "busy", directory)
        #expect(refused.status == 1)
        #expect(refused.error.contains("mica exec busy"))
        try #expect(mica("rm", "-f", "busy", "worker").status == 0)
        let nothing = try mica("mount", "nothing", directory)
        #expect(nothing.error.contains("no such image"))
    }

    @Test func `an image can be mounted for other owners`() throws {
        let directory = box.root.outside.string
        try #expect(mica("mount", "-o", "squash_to_uid=1234,noxattrs=1", "real", directory).status == 0)
        try #expect(FilePath(directory).appending("bin").status().st_uid == 1234)
        try #expect(mica("umount", directory).status == 0)
        try #expect(mica("mount", "-o", "squash_to_uid=much", "real", directory).status == 1)
    }

    private func root(of name: String) throws -> String {
        try box.containers.container(named: name).files.root.string
    }

    @Test func `a dead mount is listed as dead, and unmounted`() throws {
        let directory = box.root.outside.string
        try #expect(mica("mount", "--rw", "--name", "work", "real", directory).status == 0)
        try killDaemon(of: directory)
        try #expect(mica.wait { try mica("mounts").output.contains("dead") })
        let again = try mica("mount", "real", directory)
        #expect(again.status == 1)
        #expect(again.error.contains("mica umount"))
        let umount = try mica("umount", directory)
        #expect(umount.status == 0)
        #expect(umount.output.contains("work"))
        try #expect(mica("mounts", "-q").output == "")
        try #expect(box.isClean())
        try #expect(box.layout.mounts.names().isEmpty)
    }

    /// `at`: of the chain's index. The header is looked at before the daemon starts, the rest while it does.
    @Test(arguments: [0.0, 0.3, 0.6, 0.999]) func `a damaged chain is folded again while it is mounted`(
        at place: Double
    ) throws {
        let directory = box.root.outside.string
        // Those of other images: the mount makes its own again.
        for name in try box.layout.chains.names() as [[UInt8]] {
            try box.layout.chains.appending(String(decoding: name, as: UTF8.self)).unlink()
        }
        try #expect(mica("mount", "real", directory).status == 0)
        try #expect(mica("umount", directory).status == 0)
        let name = try #require(box.layout.chains.names().first)
        let chain = box.layout.chains.appending(String(decoding: name, as: UTF8.self))
        let whole = try OwnedFD.open(chain, O_RDONLY).contents(limit: 1 << 24)
        do {
            let fd = try OwnedFD.open(chain, O_RDWR)
            let offset = off_t(Double(whole.count) * place)
            var byte = ~whole[Int(offset)]
            #expect(pwrite(fd.raw, &byte, 1, offset) == 1)
        }
        try #expect(mica("mount", "real", directory).status == 0)
        let names = try [FilePath(directory), box.root.path].map { try Set($0.appending("bin").names()) }
        #expect(names[0] == names[1])
        try #expect(mica("umount", directory).status == 0)
        let found = try OwnedFD.open(chain, O_RDONLY).contents(limit: 1 << 24) == whole
        #expect(found)
        try #expect(mica("mounts", "-q").output == "")
        try #expect(box.isClean())
    }

    @Test func `a dead mount is unmounted though its snapshot was removed`() throws {
        let directory = box.root.outside.string
        try #expect(mica("mount", "--rw", "--name", "work", "real", directory).status == 0)
        try killDaemon(of: directory)
        try #expect(mica("snapshot", "rm", "work").status == 0)
        try #expect(mica("umount", directory).status == 0)
        try #expect(box.isClean())
    }

    @Test func `the collector unmounts what is dead, and nothing else`() throws {
        let directory = box.root.outside.string
        let other = box.root.base.appending("other")
        try other.makeDirectory()
        try #expect(mica("mount", "real", other.string).status == 0)
        try #expect(mica("mount", "real", directory).status == 0)
        try killDaemon(of: directory)
        try #expect(mica("gc", "-n").status == 0)
        #expect(MountTable.current().isDead(box.root.outside))
        try #expect(mica("gc").status == 0)
        #expect(MountTable.current().top(at: box.root.outside) == nil)
        try #expect(mica("mounts", "-q").output == "\(other)\n")
        #expect(other.appending("bin/sh").exists)
        try #expect(mica("umount", other.string).status == 0)
        try #expect(box.isClean())
    }

    @Test(arguments: ["ps", "gc", "run", "rm"]) func `the next command cleans up behind a run`(_ verb: String)
        throws
    {
        let processes = ["kept": [], "gone": ["--rm"]].map { name, options in
            mica.process(["run"] + options + ["--name", name, "real", "sleep", "1000"])
        }
        for process in processes { try process.run() }
        try #expect(mica.wait { try mica("ps", "-q").output.count == 26 })
        for container in try box.containers.all() {
            kill(try #require(container.files.readState()?.monitor).pid, SIGKILL)
        }
        for process in processes { process.waitUntilExit() }
        let kept = try root(of: "kept")
        #expect(MountTable.current().top(at: FilePath(kept)) != nil)
        switch verb {
        case "run": try #expect(mica("run", "--rm", "real", "true").status == 0)
        case "rm": try #expect(mica("rm", "nosuch").status == 1)
        default: try #expect(mica(verb).status == 0)
        }
        try #expect(box.isClean())
        try #expect(box.store.containers().map(\.name) == ["kept"])
        try #expect(mica("ps", "-a").output.contains("Exited (unknown)"))
    }

    @Test func `nothing happened: nothing is different, and nothing is committed`() throws {
        let volume = "\(box.root.outside):/etc/made/dir"
        try #expect(mica("run", "--name", "idle", "-v", volume, "real", "true").status == 0)
        try #expect(mica("diff", "idle").output == "")
        try #expect(mica("commit", "idle", "same").status == 0)
        try #expect(mica("diff", "real", "same").output == "")
        try #expect(mica("run", "--name", "busy", "real", "sh", "-c", "echo 1 > /etc/new").status == 0)
        try #expect(mica("diff", "busy").output == "C /etc\nA /etc/new\n")
        try #expect(mica("commit", "busy", "other").status == 0)
        try #expect(mica("diff", "real", "other").output == "C /etc\nA /etc/new\n")
        try #expect(mica("diff", "busy", "other").output == "")
    }

    /// The options of what is mounted there, as the kernel names them.
    private func flags(at target: String) throws -> Set<Substring> {
        var line: Substring?
        // What others unmount meanwhile makes a reader of the table skip lines.
        for _ in 0..<100 where line == nil {
            // Foundation takes what it can read at once for all of a file.
            let bytes = try OwnedFD.open("/proc/self/mountinfo", O_RDONLY).contents(limit: 1 << 26)
            let table = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            line = table.last { $0.split(separator: " ")[4] == target }
        }
        let found = try #require(line)
        return Set(found.split(separator: " ")[5].split(separator: ","))
    }

    @Test(
        arguments: [
            ([], ["nosuid", "nodev"]), (["-o", "suid"], ["nodev"]), (["-o", "dev"], ["nosuid"]),
            (["-o", "suid,dev"], []), (["-o", "allow_suid,allow_dev"], []),
            (["-o", "suid,nosuid"], ["nosuid", "nodev"]),
        ] as [([String], Set<Substring>)]
    )
    func `set-id programs and devices are for who asks for them`(options: [String], expected: Set<Substring>)
        throws
    {
        let directory = box.root.outside.string
        for kind in [[], ["--rw"]] {
            try #expect(mica.run(["mount"] + kind + options + ["real", directory]).status == 0)
            try #expect(flags(at: directory).intersection(["nosuid", "nodev"]) == expected)
            try #expect(mica("umount", directory).status == 0)
        }
    }

    @Test func `a container's root keeps its set-id programs, where nobody else gets`() throws {
        try #expect(mica("run", "-d", "--name", "idle", "real", "sleep", "1000").status == 0)
        let root = try root(of: "idle")
        try #expect(flags(at: root).intersection(["nosuid", "nodev"]) == ["nodev"])
        try #expect(FilePath(root).removingLastComponent().status().st_mode & 0o777 == 0o700)
        try #expect(box.layout.root.status().st_mode & 0o777 == 0o700)
        try #expect(mica("rm", "-f", "idle").status == 0)
        try #expect(box.isClean())
    }

    @Test func `a container whose root is lost is known to be that`() throws {
        try #expect(
            mica("run", "-d", "--name", "lost", "real", "sh", "-c", "echo 1 > /kept; sleep 1000").status == 0
        )
        let upper = try box.layout.snapshot(
            box.store.snapshot(box.store.container(named: "lost").snapshot).id
        )
        .appending("upper/kept")
        try #expect(
            mica.wait { (try? String(contentsOfFile: upper.string, encoding: .utf8)) == "1\n" }
        )
        try #expect(!mica("ps").output.contains("lost)"))
        try killDaemon(of: root(of: "lost"))
        try #expect(mica.wait { try mica("ps").output.contains("(root filesystem lost)") })
        let exec = try mica("exec", "lost", "true")
        #expect(exec.status == 125)
        #expect(exec.error.contains("root filesystem of container lost is lost"))
        let commit = try mica("commit", "lost", "saved")
        #expect(commit.status == 0)
        #expect(commit.error.contains("warning"))
        try #expect(mica("rm", "-f", "lost").status == 0)
        try #expect(mica("run", "--rm", "saved", "cat", "/kept").output == "1\n")
        try #expect(box.isClean())
    }

    @Test func `what was written to open files is committed, though the kernel keeps it back`() throws {
        let directory = box.root.outside.string
        try #expect(
            mica("mount", "--rw", "--name", "work", "-o", "writeback=1", "real", directory).status == 0
        )
        let text = String(repeating: "it\n", count: 10_000)
        let base = FilePath(directory)
        var old: [UInt8] = []
        do {
            func open(_ name: String, _ flags: CInt) throws -> OpenFile {
                OpenFile(try OwnedFD.open(base.appending(name), O_RDWR | flags, mode: 0o644))
            }
            try base.appending("d").makeDirectory(mode: 0o755)
            let made = [try open("new", O_CREAT), try open("d/below", O_CREAT)]
            let changed = try open("etc/group", 0)
            old = try changed.fd.contents(limit: 1 << 20)
            try #require(!old.isEmpty)
            for file in made { try file.fd.writeAll(Array(text.utf8)) }
            try [UInt8(ascii: "X")].withUnsafeBytes { try changed.fd.writeAll($0, at: 0) }
            let changes = try mica("diff", "work").output.split(separator: "\n")
            #expect(
                Set(["A /d", "A /d/below", "C /etc/group", "A /new"]).isSubset(of: changes),
                "\(changes)"
            )
            try #expect(mica("commit", "work", "made").status == 0)
            // They were open all the time.
            withExtendedLifetime((made, changed)) {}
        }
        for name in ["new", "d/below"] {
            try #expect(mica("run", "--rm", "made", "cat", "/\(name)").output == text)
        }
        let group = try mica("run", "--rm", "made", "cat", "/etc/group").output
        #expect(Array(group.utf8) == [UInt8(ascii: "X")] + old.dropFirst())
        try #expect(mica("umount", directory).status == 0)
    }

    @Test func `a container's root takes options for its data, and no others`() throws {
        for options in ["writeback=1", "io=cached", "writeback=1,fill=idle"] {
            let script = "exec 3>/kept; echo it >&3; touch /written; sleep 1000"
            try #expect(
                mica("run", "-d", "-o", options, "--name", "it", "real", "sh", "-c", script).status == 0
            )
            try #expect(mica.wait { try mica("diff", "it").output.contains("A /written") })
            try #expect(mica("commit", "it", "made").status == 0)
            try #expect(mica("run", "--rm", "made", "cat", "/kept").output == "it\n")
            try #expect(mica("rm", "-f", "it").status == 0)
        }
        for options in ["nosuid", "ro", "writeback=1,io=passthrough", "squash_to_uid=1", "io"] {
            let refused = try mica("run", "--rm", "-o", options, "real", "true")
            #expect(refused.status == 125, "\(options): \(refused)")
        }
        // The daemon's own answer.
        try #expect(mica("run", "--rm", "-o", "io=quickly", "real", "true").status == 125)
        try #expect(mica("ps", "-aq").output == "")
    }
}
