import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import CLinux
import Glibc

/// The upper on a disk that takes no more data, though its filesystem has room: a write succeeds, and its sync does not.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A sync that fails` {
    private static let metacopy: XattrName = "trusted.overlay.metacopy"
    let workspace: Workspace
    /// What the disk is in.
    private let small: String

    init() throws {
        workspace = try Workspace()
        small = try workspace.directory("small")
        try Tool.run(
            URL(fileURLWithPath: "/bin/mount"),
            ["-t", "tmpfs", "-o", "size=64m", "none", small]
        )
    }

    private func fill(_ path: String) throws {
        let file = try OwnedFD.open(FilePath(path), O_WRONLY | O_CREAT, mode: 0o600)
        let data = [UInt8](repeating: 7, count: 4096)
        while file.use({ write($0, data, data.count) }) > 0 {}
        guard Errno.last == .noSpace else { throw Errno.last }
    }

    /// Without the mark, the blocks that are not on the disk would be zeros, where the lower has data.
    @Test(arguments: LowerForm.served, [true, false])
    func `leaves a file partial that has all of its blocks in memory`(form: LowerForm, dataOnly: Bool) throws
    {
        let place = try Workspace(in: small)
        let disk = try LoopDisk(in: place, megabytes: 32)
        let tree = try SmallTree(form, in: workspace, uppers: disk.path, options: ["-o", "metacopy=on"])
        let upper = FilePath("\(tree.mount.upper)/large")
        let file = try tree.open("large", O_RDWR)
        try [UInt8(ascii: "x")].withUnsafeBytes { try file.writeAll($0, at: 300_000) }
        try file.synchronize()
        let root = try OwnedFD.open(FilePath(disk.path), O_RDONLY)
        #expect(root.use { clinux_syncfs($0) } == 0)
        _ = consume root
        try fill("\(small)/filler")
        try [UInt8](repeating: UInt8(ascii: "y"), count: SmallTree.large).withUnsafeBytes {
            try file.writeAll($0, at: 0)
        }
        #expect(file.use { dataOnly ? fdatasync($0) : fsync($0) } == -1)
        #expect(try Xattr.get(Self.metacopy, at: upper) != nil)
        _ = consume file
        try FilePath("\(small)/filler").unlink()
        try tree.mount.kill()
    }

    /// What the test above relies on.
    @Test(arguments: LowerForm.served) func `is another matter than one that does not`(form: LowerForm) throws
    {
        let tree = try SmallTree(form, in: workspace, options: ["-o", "metacopy=on"])
        let upper = FilePath("\(tree.mount.upper)/large")
        let file = try tree.open("large", O_RDWR)
        try [UInt8](repeating: UInt8(ascii: "y"), count: SmallTree.large).withUnsafeBytes {
            try file.writeAll($0, at: 0)
        }
        #expect(try Xattr.get(Self.metacopy, at: upper) != nil)
        try file.synchronize()
        #expect(try Xattr.get(Self.metacopy, at: upper) == nil)
        _ = consume file
        try tree.mount.unmount()
    }
}
