import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// What mount(8) runs for `mount -t mica`, called as mount(8) calls it.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `mount.mica` {
    let workspace: Workspace
    let store: MicaStore
    let target: String

    init() throws {
        workspace = try Workspace()
        store = MicaStore(root: try workspace.directory("store"))
        target = try workspace.directory("target")
        try store.load([TrickyLayers.bottom], as: "tricky", using: workspace)
    }

    private func helper(_ arguments: String...) throws {
        let script = Tool.package.appendingPathComponent("mount-helpers/mount.mica")
        try Tool.run(script, arguments, store: store.root)
    }

    private func expectFailure(_ status: Int, _ words: String, _ arguments: String...) {
        let script = Tool.package.appendingPathComponent("mount-helpers/mount.mica")
        let failure = #expect(throws: Failure.self) {
            try Tool.run(script, arguments, store: store.root)
        }
        let message = failure?.message ?? ""
        #expect(message.contains("exit status \(status)\n") && message.contains(words), "\(message)")
    }

    @Test func `mounts read-only for ro`() throws {
        try helper("tricky", target, "-o", "ro,nofail,x-systemd.automount")
        #expect(FilePath("\(target)/etc/passwd").exists)
        #expect(mkdir("\(target)/new", 0o755) == -1)
        #expect(Errno.last == .readOnlyFileSystem)
        #expect(umount2(target, 0) == 0)
    }

    @Test func `mounts a named snapshot for rw, the same one every time`() throws {
        try helper("tricky", target, "-v", "-o", "rw,name=kept")
        #expect(mkdir("\(target)/new", 0o755) == 0)
        // For everybody: another test's mount namespace may have a copy.
        try store.run("umount", [target])
        try helper("tricky", target, "-o", "rw,name=kept")
        #expect(FilePath("\(target)/new").exists)
        #expect(umount2(target, 0) == 0)
    }

    @Test func `exits as mount(8) documents it`() {
        expectFailure(1, "usage", "tricky")
        expectFailure(1, "unknown option: sideways", "tricky", target, "-o", "ro,sideways")
        expectFailure(1, "name=x", "tricky", target, "-o", "ro,name=x")
        expectFailure(32, "nothing-there", "nothing-there", target, "-o", "ro")
    }

    @Test func `mounts nothing for -f`() throws {
        try helper("tricky", target, "-f", "-s", "-o", "ro,sideways")
        #expect(!FilePath("\(target)/etc").exists)
    }

    @Test func `has nothing that is said to be writable and read-only at once`() throws {
        let failure = #expect(throws: Failure.self) {
            try store.run("mount", ["--rw", "-o", "ro,noexec", "tricky", target])
        }
        #expect(failure?.message.contains("either writable or read-only") == true)
        #expect(!FilePath("\(target)/etc").exists)
    }
}
