import ContainerFixtures
import Foundation
import Linux
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isMountingPossible, "needs root, /dev/fuse, busybox-static and the built mica")
)
struct `A remount through mount.fuse3` {
    let box: TestStore
    let mica: MicaCommand

    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box, mountsForReal: true)
    }

    /// As mount.fuse3 calls it for `mount -o remount,OPTIONS`.
    private func remount(_ options: String) throws -> (status: Int32, output: String, error: String) {
        let rest = "remount,user_id=0,group_id=0,default_permissions,allow_other,dev,suid"
        return try mica("box", box.root.outside.string, "-o", "\(options),\(rest)")
    }

    private func write(_ name: String) -> Errno? {
        do throws(Errno) {
            _ = try OwnedFD.open(box.root.outside.appending(name), O_WRONLY | O_CREAT, mode: 0o600)
            return nil
        } catch {
            return error
        }
    }

    @Test func `changes whether there can be writes, and mounts nothing`() throws {
        let target = box.root.outside
        try #expect(mica("mount", "--rw", "--name", "work", "box", target.string).status == 0)
        #expect(write("one") == nil)
        let result = try remount("ro,noexec,relatime")
        #expect(result.status == 0, "\(result.error)")
        #expect(result.output == "")
        #expect(MountTable.current().entries.filter { $0.target == target }.count == 1)
        #expect(write("two") == .readOnlyFileSystem)
        try #expect(remount("rw,relatime").status == 0)
        #expect(write("two") == nil)

        // Not under a process that writes.
        let file = try OwnedFD.open(target.appending("two"), O_WRONLY)
        let busy = try remount("ro,relatime")
        #expect(busy.status == 32)
        #expect(busy.error.contains("open for writing"))
        _ = consume file
        try #expect(mica("umount", target.string).status == 0)
        try #expect(remount("ro,relatime").status == 32)
        try #expect(box.isClean())
    }
}
