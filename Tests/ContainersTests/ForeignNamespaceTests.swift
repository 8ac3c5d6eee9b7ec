import ContainerFixtures
import Containers
import Foundation
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isMountingPossible, "needs root, /dev/fuse, busybox-static and the built mica")
)
struct `A mount that another mount namespace has a copy of` {
    let box: TestStore
    let mica: MicaCommand
    var target: FilePath { box.root.outside }

    /// The store has an image `real`, whose layer is the test's root.
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box, mountsForReal: true)
        let tar = box.root.base.appending("root.tar").string
        try run("/bin/tar", "-C", box.root.path.string, "-cf", tar, ".")
        try #require(mica("import", "-q", tar, "real").status == 0)
    }

    private func run(_ program: String, _ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    private func wait(_ condition: () throws -> Bool) throws -> Bool {
        for _ in 0..<30_000 {
            if try condition() { return true }
            usleep(20_000)
        }
        return false
    }

    private func write(_ text: String, to path: FilePath) throws {
        try OwnedFD.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).writeAll(Array(text.utf8))
    }

    private func upper(_ key: String) throws -> FilePath {
        try box.layout.snapshot(box.store.snapshot(key).id).appending("upper")
    }

    private func contents(_ path: FilePath) throws -> String {
        try String(decoding: OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20), as: UTF8.self)
    }

    /// Every micafs of this store has ended.
    private func hasNoDaemons() throws -> Bool {
        let root = box.layout.root.string
        return try FilePath("/proc" as String).names().allSatisfy { name in
            let path = FilePath("/proc/\(String(decoding: name, as: UTF8.self))/cmdline")
            guard let bytes = try? OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20) else { return true }
            let arguments = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return arguments.first?.hasSuffix("/micafs") != true || !arguments.contains(root)
        }
    }

    @Test(arguments: [[], ["-f"]]) func `is gone for everybody when its owner unmounts it`(
        _ options: [String]
    ) throws {
        try #expect(mica("mount", "--rw", "--name", "work", "real", target.string).status == 0)
        try write("before", to: target.appending("etc/new"))
        let other = try ForeignNamespace()
        try #expect(other.shows(target))
        #expect(other.failure(of: target.appending("etc")) == nil)

        defer { withExtendedLifetime(other) {} }
        let umount = try mica.run(["umount"] + options + [target.string])
        #expect(umount.status == 0, "\(umount.error)")
        #expect(umount.output.contains("work"))
        try #expect(hasNoDaemons())
        try #expect(mica("mounts", "-q").output == "")
        try #expect(box.layout.mounts.names().isEmpty)
        #expect(other.failure(of: target.appending("etc")) == .socketNotConnected)
        try #expect(contents(upper("work").appending("etc/new")) == "before")
        try #expect(mica("mount", "--rw", "--name", "work", "real", target.string).status == 0)
        try #expect(contents(target.appending("etc/new")) == "before")
        try #expect(mica("umount", target.string).status == 0)
        try #expect(mica("snapshot", "rm", "work").status == 0)
        try #expect(box.isClean())
    }

    @Test func `is written back before it goes`() throws {
        try #expect(mica("mount", "--rw", "--name", "work", "real", target.string).status == 0)
        try write(String(repeating: ".", count: 8192), to: target.appending("mapped"))
        let other = try ForeignNamespace()
        let file = try OwnedFD.open(other.path(target.appending("mapped")), O_RDWR)
        let address = mmap(nil, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file.raw, 0)
        let memory = try #require(address == MAP_FAILED ? nil : address)
        defer { munmap(memory, 8192) }
        // Each close(2) of the file, and each end of a mapping, writes what there is: also those of a child that this
        // process starts and that has copies of them until execve(2).
        _ = consume file
        try #require(madvise(memory, 8192, MADV_DONTFORK) == 0)
        memory.copyMemory(from: Array("mapped".utf8), byteCount: 6)

        try #expect(mica("umount", target.string).status == 0)
        try #expect(contents(upper("work").appending("mapped")).hasPrefix("mapped.."))
        try #expect(hasNoDaemons())
    }

    @Test(arguments: [["stop", "-t", "0"], ["rm", "-f"]]) func `does not keep a container`(_ verb: [String])
        throws
    {
        try #expect(
            mica("run", "-d", "--name", "held", "real", "sh", "-c", "echo 1 > /kept; sleep 1000").status == 0
        )
        let container = try box.containers.container(named: "held")
        let kept = try upper(container.record.snapshot).appending("kept")
        try #expect(wait { try kept.exists && contents(kept) == "1\n" })
        let other = try ForeignNamespace()
        try #expect(other.shows(container.files.root))
        // And a user's shell works in it.
        let shell = try Sleeper(after: "cd \(container.files.root)/etc")
        defer { withExtendedLifetime((other, shell)) {} }

        let result = try mica.run(verb + ["held"])
        #expect(result.status == 0, "\(result.error)")
        #expect(!FileLock.isHeld(container.files.mountLock))
        try #expect(hasNoDaemons())
        if verb.first == "stop" {
            #expect(other.failure(of: container.files.root) == .socketNotConnected)
            try #expect(contents(kept) == "1\n")
            try #expect(mica("commit", "held", "saved").status == 0)
            try #expect(mica("rm", "held").status == 0)
        }
        #expect(!container.files.directory.exists)
        #expect(!kept.exists)
        try #expect(box.isClean())
    }

    @Test func `is listed with its holders after umount(8), and ended by mica's`() throws {
        try #expect(mica("mount", "--rw", "--name", "work", "real", target.string).status == 0)
        let other = try ForeignNamespace()
        try run("/bin/umount", target.string)
        #expect(MountTable.current().top(at: target) == nil)

        let listed = try mica("mounts").output
        #expect(listed.contains("rw (not here)"))
        #expect(listed.contains("process \(other.pid) (sleep) sees it at \(target)"))
        let json = try mica("mounts", "--format", "json").output
        #expect(json.contains("\"pid\" : \(other.pid)") || json.contains("\"pid\":\(other.pid)"), "\(json)")
        let again = try mica("mount", "--rw", "--name", "work", "real", target.string)
        #expect(again.status == 1)
        #expect(
            again.error.contains("process \(other.pid) (sleep), at \(target) still has it"),
            "\(again.error)"
        )
        let remove = try mica("snapshot", "rm", "work")
        #expect(remove.status == 1)
        #expect(remove.error.contains("mica umount"))

        // What is at its place now is not touched.
        try run("/bin/mount", "-t", "tmpfs", "none", target.string)
        defer { umount2(target.string, CInt(MNT_DETACH)) }
        try #expect(mica("umount", target.string).status == 0)
        #expect(MountTable.current().top(at: target)?.type == "tmpfs")
        try #expect(hasNoDaemons())
        try #expect(mica("mounts", "-q").output == "")
        #expect(other.failure(of: target) == .socketNotConnected)
        try #expect(mica("snapshot", "rm", "work").status == 0)
    }

    @Test func `is not unmounted through what is mounted over it`() throws {
        try #expect(mica("mount", "real", target.string).status == 0)
        try run("/bin/mount", "-t", "tmpfs", "none", target.string)
        let result = try mica("umount", target.string)
        #expect(result.status == 1)
        #expect(result.error.contains("mounted over it"))
        #expect(MountTable.current().top(at: target)?.type == "tmpfs")
        try run("/bin/umount", target.string)
        try #expect(mica("umount", target.string).status == 0)
        try #expect(box.isClean())
    }

    @Test func `goes on for its users when it is taken out lazily, and not when it is ended`() throws {
        try #expect(mica("mount", "real", target.string).status == 0)
        let file = try OwnedFD.open(target.appending("etc/passwd"), O_RDONLY)
        let polite = try mica("umount", target.string)
        #expect(polite.status == 1)
        #expect(polite.error.contains("in use"))
        try #expect(mica("umount", "-l", target.string).status == 0)
        try #expect(!file.contents(limit: 1 << 20).isEmpty)
        let listed = try mica("mounts").output
        #expect(listed.contains("ro (not here)"))
        #expect(listed.contains("process \(getpid()) ("))
        #expect(listed.contains("has files of it open"))

        let other = box.root.base.appending("other")
        try other.makeDirectory()
        try #expect(mica("mount", "real", other.string).status == 0)
        let second = try OwnedFD.open(other.appending("etc"), O_RDONLY | O_DIRECTORY)
        try #expect(mica("umount", "-f", other.string).status == 0)
        do throws(Errno) {
            _ = try second.open("none", O_RDONLY)
            Issue.record("it answers")
        } catch {
            #expect(error == .socketNotConnected)
        }
        #expect(MountTable.current().top(at: other) == nil)
        try #expect(mica("umount", target.string).status == 0)
        try #expect(hasNoDaemons())
        try #expect(box.isClean())
        _ = consume file
        _ = consume second
    }
}
