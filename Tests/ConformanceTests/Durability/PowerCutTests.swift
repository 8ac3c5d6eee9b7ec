import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// The upper on an ext4 of its own, whose power is cut: what was synced is there, and nothing is half there.
@Suite(.enabled(if: geteuid() == 0, "mounts"))
struct `After a power cut` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// Changes a mount, cuts the power of the upper's disk, and mounts again what is left.
    private func survive(
        _ form: LowerForm,
        _ change: (SmallTree) throws -> Void,
        _ check: (SmallTree) throws -> Void
    ) throws {
        let disk = try LoopDisk(in: workspace, megabytes: 64)
        let tree = try SmallTree(form, in: workspace, uppers: disk.path)
        // The mount's own directories are on the disk.
        sync()
        try change(tree)
        try disk.cutPower()
        try tree.mount.kill()
        try disk.unmount()
        try disk.mount()
        try tree.mount.mount()
        try check(tree)
        // And it works.
        try tree.write("afterwards\n", to: "afterwards")
        #expect(try tree.read("afterwards") == "afterwards\n")
        try tree.mount.unmount()
        try disk.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `a file that was only chmoded, renamed or linked has its data`(form: LowerForm) throws {
        try survive(form) { tree in
            #expect(chmod(tree.path("large"), 0o600) == 0)
            #expect(tree.rename("file", "moved") == nil)
            #expect(link(tree.path("full/below"), tree.path("linked")) == 0)
            #expect(rename(tree.path("full/sub"), tree.path("sub")) == 0)
            // Some of it may have reached the disk, if the journal was written.
            try tree.open("other", O_RDONLY | O_DIRECTORY).synchronize()
        } _: { (tree) throws in
            #expect(try tree.read("large").utf8.count == SmallTree.large)
            #expect(try tree.read("large").hasPrefix("0123456789012"))
            #expect(try tree.read(tree.exists("moved") ? "moved" : "file") == "lower file\n")
            #expect(tree.exists("moved") != tree.exists("file"))
            if tree.exists("linked") { #expect(try tree.read("linked") == "below\n") }
            #expect(try tree.read("full/below") == "below\n")
            #expect(tree.exists("sub/deep") != tree.exists("full/sub/deep"))
        }
    }

    @Test(arguments: LowerForm.served)
    func `what was synced is there, and so is its name`(form: LowerForm) throws {
        try survive(form) { tree in
            let new = try tree.open("new", O_WRONLY | O_CREAT)
            try new.writeAll(Array("new and synced\n".utf8))
            try new.synchronize()
            let old = try tree.open("file", O_WRONLY)
            try old.writeAll(Array("LOWER".utf8))
            try old.synchronize()
            #expect(mkdir(tree.path("full/made"), 0o755) == 0)
            let below = try tree.open("full/made/file", O_WRONLY | O_CREAT)
            try below.writeAll(Array("below a new directory\n".utf8))
            try below.synchronize()
            let alias = try tree.open("name", O_WRONLY)
            try alias.writeAll(Array("ONE".utf8))
            try alias.synchronize()
        } _: { (tree) throws in
            #expect(try tree.read("new") == "new and synced\n")
            #expect(try tree.read("file") == "LOWER file\n")
            #expect(try tree.read("full/made/file") == "below a new directory\n")
            #expect(try tree.read("name") == "ONE of two names\n")
            #expect(try tree.read("other/name") == "ONE of two names\n")
            #expect(try tree.status("name").st_nlink == 2)
        }
    }

    @Test(arguments: LowerForm.served)
    func `renames, deletions and new directories are there once a directory was synced`(form: LowerForm)
        throws
    {
        try survive(form) { tree in
            #expect(tree.rename("full", "moved") == nil)
            #expect(unlink(tree.path("file")) == 0)
            #expect(rmdir(tree.path("empty")) == 0)
            #expect(mkdir(tree.path("empty"), 0o700) == 0)
            #expect(symlink("target", tree.path("symlink")) == 0)
            try tree.open(".", O_RDONLY | O_DIRECTORY).synchronize()
        } _: { (tree) throws in
            #expect(!tree.exists("full") && !tree.exists("file"))
            #expect(try tree.read("moved/sub/deep") == "deep\n")
            #expect(try tree.status("empty").st_mode == S_IFDIR | 0o700)
            #expect(tree.exists("symlink"))
        }
    }

    @Test(arguments: LowerForm.served)
    func `a file that was replaced the careful way is whole, old or new`(form: LowerForm) throws {
        try survive(form) { tree in
            for number in 0..<20 {
                let text = String(repeating: "\(number % 10)", count: 50_000)
                do {
                    let file = try tree.open("temporary", O_WRONLY | O_CREAT | O_TRUNC)
                    try file.writeAll(Array(text.utf8))
                    try file.synchronize()
                }
                #expect(tree.rename("temporary", "large") == nil)
            }
        } _: { (tree) throws in
            let text = try tree.read("large")
            #expect(text.utf8.count == 50_000 || text.utf8.count == SmallTree.large)
            #expect(text.utf8.count != 50_000 || Set(text).count == 1)
        }
    }

    @Test(arguments: LowerForm.served)
    func `each block of a large file that was written here and there is old or new, and what was synced new`(
        form: LowerForm
    ) throws {
        let block = 4096
        let offsets = (0..<40).map { $0 * 23_456 + 77 }
        try survive(form) { tree in
            let file = try tree.open("large", O_RDWR)
            let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 5000)
            for offset in offsets[..<20] {
                try piece.withUnsafeBytes { try file.writeAll($0, at: UInt64(offset)) }
            }
            try file.synchronize()
            for offset in offsets[20...] {
                try piece.withUnsafeBytes { try file.writeAll($0, at: UInt64(offset)) }
            }
        } _: { (tree) throws in
            let found = Array(try tree.read("large").utf8)
            #expect(found.count == SmallTree.large)
            let old = Array(String(repeating: "0123456789", count: SmallTree.large / 10).utf8)
            var new = old
            for offset in offsets {
                for position in offset..<offset + 5000 { new[position] = UInt8(ascii: "x") }
            }
            for start in stride(from: 0, to: old.count, by: block) {
                let range = start..<min(start + block, old.count)
                #expect(found[range] == old[range] || found[range] == new[range], "block at \(start)")
            }
            let end = offsets[19] + 5000
            #expect(found[..<end] == new[..<end])
        }
    }

    @Test func `a large file that was cut off and grew again has zeros there`() throws {
        try survive(.image) { tree in
            let file = try tree.open("large", O_RDWR)
            try file.truncate(to: 500_000)
            try file.truncate(to: 900_000)
            try [UInt8(ascii: "x")].withUnsafeBytes { try file.writeAll($0, at: 700_000) }
            try file.synchronize()
        } _: { (tree) throws in
            let found = Array(try tree.read("large").utf8)
            #expect(found.count == 900_000)
            #expect(found[499_999] == UInt8(ascii: "9"))
            #expect(found[500_000..<700_000].allSatisfy { $0 == 0 })
            #expect(found[700_000] == UInt8(ascii: "x"))
            #expect(found[700_001...].allSatisfy { $0 == 0 })
        }
    }
}
