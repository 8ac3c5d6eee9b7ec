import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// No room for a directory: the way out is to delete, for which there must be a mount.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A full upper with a new work directory` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private func fill(_ path: String) throws {
        let file = try OwnedFD.open(FilePath(path), O_WRONLY | O_CREAT, mode: 0o644)
        let block = [UInt8](repeating: 7, count: 4096)
        while file.use({ write($0, block, block.count) }) > 0 {}
        #expect(Errno.last == .noSpace)
    }

    @Test(arguments: LowerForm.served) func `can be mounted to delete from`(_ form: LowerForm) throws {
        let disk = try LoopDisk(in: workspace, megabytes: 8)
        let lower = try workspace.directory("lower")
        for name in ["old", "linked"] {
            _ = try OwnedFD.open(FilePath("\(lower)/\(name)"), O_WRONLY | O_CREAT, mode: 0o644)
        }
        #expect(link("\(lower)/linked", "\(lower)/again") == 0)
        let mount = try LayeredMount(Lower(lower, as: form, in: workspace), in: workspace, uppers: disk.path)
        try fill("\(mount.path)/filler")
        try mount.unmount()
        try FilePath(mount.work).removeTree()
        try FilePath(mount.work).makeDirectory()
        try fill("\(disk.path)/rest")
        #expect(mkdir("\(disk.path)/more", 0o700) == -1)

        try mount.mount()
        #expect(unlink("\(mount.path)/old") == 0, "\(Errno.last)")
        let open = try OwnedFD.open(FilePath("\(mount.path)/filler"), O_RDONLY)
        #expect(unlink("\(mount.path)/filler") == 0, "\(Errno.last)")
        _ = consume open
        #expect(access("\(mount.path)/old", F_OK) == -1)
        // A new mount finds what it left, and has all that it needs.
        try mount.remount()
        #expect(access("\(mount.path)/old", F_OK) == -1)
        #expect(access("\(mount.path)/filler", F_OK) == -1)
        #expect(chmod("\(mount.path)/linked", 0o600) == 0, "\(Errno.last)")
        var status = stat()
        #expect(stat("\(mount.path)/again", &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600)
        #expect(mkdir("\(mount.path)/more", 0o700) == 0)
        try mount.unmount()
    }
}
