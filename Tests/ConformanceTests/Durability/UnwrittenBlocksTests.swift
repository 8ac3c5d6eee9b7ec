import Linux
import MountFixtures
import SystemPackage
import Testing

import CLinux
import Glibc

/// Blocks of an upper file that a power cut left with their place on the disk and without data: the filesystem says that
/// they are holes, until they were read.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `Blocks that have no data any more` {
    private static let filesystems = [Filesystem.ext4, .xfs, .btrfs]
    private static let old = Array(String(repeating: "0123456789", count: SmallTree.large / 10).utf8)
    private static var new: [UInt8] {
        var bytes = old
        bytes[300_000] = UInt8(ascii: "x")
        return bytes
    }

    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// What a power cut would leave of blocks that were being written in all of `file` but around byte 300,000, and of who
    /// has looked at it afterwards, as a program that makes backups does.
    private func loseData(of file: String) throws {
        let fd = try OwnedFD.open(FilePath(file), O_RDWR)
        for range in [0..<280_000, 320_000..<SmallTree.large] {
            // FALLOC_FL_KEEP_SIZE: a place on the disk, nothing written.
            let result = fd.use { clinux_fallocate($0, 1, Int64(range.lowerBound), Int64(range.count)) }
            guard result == 0 else { throw Errno(rawValue: -result) }
        }
        try fd.synchronize()
        _ = try fd.contents(limit: 1 << 24)
    }

    private func expect(_ tree: SmallTree, _ expected: [UInt8], _ when: Comment) throws {
        let found = Array(try tree.read("large").utf8)
        #expect(firstDifference(found, from: expected) == nil, when)
    }

    @Test(arguments: filesystems, [LowerForm.image, .directory])
    func `are the lower's for who reads, and beside what is written`(filesystem: Filesystem, form: LowerForm)
        throws
    {
        let disk = try filesystem.make(in: workspace)
        let tree = try SmallTree(form, in: workspace, uppers: disk, options: ["-o", "metacopy=on"])
        let file = tree.path("large")
        try SmallTree.patch(file, "x", at: 300_000)
        try tree.mount.unmount()
        try loseData(of: "\(tree.mount.upper)/large")
        try tree.mount.mount()
        // Twice: what was read the first time is in the page cache.
        try expect(tree, Self.new, "read at first")
        try tree.mount.remount()
        try expect(tree, Self.new, "read again")
        var expected = Self.new
        for offset in [0, 4095, 100_001, 278_528, 500_000] {
            try SmallTree.patch(file, "y", at: UInt64(offset))
            expected[offset] = UInt8(ascii: "y")
        }
        do {
            let fd = try OwnedFD.open(FilePath(file), O_RDWR)
            try fd.synchronize()
        }
        try expect(tree, expected, "after writes")
        try tree.mount.remount()
        try expect(tree, expected, "after a remount")
        try tree.mount.unmount()
        try tree.mount.materialize()
        #expect(try SmallTree.read("\(tree.mount.upper)/large") == String(decoding: expected, as: UTF8.self))
    }

    @Test(arguments: filesystems) func `are the image's in a commit`(filesystem: Filesystem) throws {
        let disk = try filesystem.make(in: workspace)
        let store = MicaStore(root: "\(disk)/store")
        try store.load([[LayerEntry(path: "large", kind: .file(Self.old))]], as: "base", using: workspace)
        let mount = try workspace.directory("mount")
        try store.run("mount", ["--rw", "--name", "k", "base", mount])
        try SmallTree.patch("\(mount)/large", "x", at: 300_000)
        try store.run("umount", [mount])
        try loseData(of: "\(try store.upper())/large")
        #expect(try store.run("diff", ["k"]) == "C /large\n")
        try store.run("commit", ["k", "new"])
        try store.run("mount", ["new", mount])
        let found = try OwnedFD.open(FilePath("\(mount)/large"), O_RDONLY).contents(limit: 1 << 24)
        #expect(firstDifference(found, from: Self.new) == nil)
        try store.run("umount", [mount])
    }
}
