import Linux
import MountFixtures
import SystemPackage
import Testing

import CLinux
import Glibc

/// The upper on a filesystem of its own, whose power is cut: what was synced is there, and nothing is half there.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `After a power cut` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// A form of lower, and arguments of micafs: the ways in which a file comes to the upper.
    struct Way: Sendable, CustomTestStringConvertible {
        let form: LowerForm
        var options: [String] = []
        /// Of the upper.
        var filesystem = Filesystem.ext4

        static let all = [
            Way(form: .image), Way(form: .image, options: ["-o", "metacopy=off"]), Way(form: .directory),
            Way(form: .directory, options: ["-o", "metacopy=on"]),
            Way(form: .image, options: ["-o", "io=passthrough"]),
            Way(form: .directory, options: ["-o", "io=passthrough"]),
            Way(form: .image, options: ["-o", "metacopy=off,io=passthrough"]),
            Way(form: .image, filesystem: .xfs),
            Way(form: .directory, options: ["-o", "metacopy=on"], filesystem: .xfs),
        ]

        var testDescription: String {
            ([form.description] + options + [filesystem.description]).joined(separator: " ")
        }
    }

    /// Changes a mount, cuts the power of the upper's disk, and mounts again what is left.
    private func survive(
        _ form: LowerForm,
        _ change: (SmallTree) throws -> Void,
        _ check: (SmallTree) throws -> Void
    )
        throws
    {
        try survive(Way(form: form), change, check)
    }

    private func survive(
        _ way: Way,
        _ change: (SmallTree) throws -> Void,
        _ check: (SmallTree) throws -> Void
    ) throws {
        let disk = try LoopDisk(in: workspace, way.filesystem)
        let tree = try SmallTree(way.form, in: workspace, uppers: disk.path, options: way.options)
        // The mount's own directories are on the disk.
        sync()
        try change(tree)
        try tree.mount.kill { try disk.cutPower() }
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

    /// Brings what was done by names and attributes to the disk: the journal, and no file's data.
    private func synchronizeNames(_ tree: SmallTree) throws {
        try tree.open(".", O_RDONLY | O_DIRECTORY).synchronize()
    }

    private func expectOldOrNew(_ tree: SmallTree, _ name: String, _ old: String, _ new: String) throws {
        let found = try tree.read(name)
        #expect(
            found == old || found == new,
            "\(name) has \(found.utf8.count) bytes: \(found.prefix(40).debugDescription)"
        )
    }

    private static let large = String(repeating: "0123456789", count: SmallTree.large / 10)

    /// The data that a copy-up brought was not synced, so the copy-up must have.
    @Test(arguments: Way.all)
    func `a file that was copied up has its data, whatever the copy was made for`(way: Way) throws {
        try survive(way) { tree in
            #expect(chmod(tree.path("large"), 0o600) == 0)
            #expect(chown(tree.path("name"), 5, 6) == 0)
            #expect(tree.rename("file", "moved") == nil)
            #expect(link(tree.path("full/below"), tree.path("linked")) == 0)
            #expect(tree.rename("full/sub", "sub") == nil)
            // A first write that never reaches the disk, or only opening for it.
            try SmallTree.patch(tree.path("sub/deep"), "D", at: 0)
            _ = try tree.open("large", O_RDWR)
            try synchronizeNames(tree)
        } _: { (tree) throws in
            try expectOldOrNew(tree, "large", Self.large, Self.large)
            #expect(try tree.status("large").st_mode & 0o777 == 0o600)
            #expect(try tree.read("name") == "one of two names\n" && tree.status("name").st_uid == 5)
            #expect(try tree.read("other/name") == "one of two names\n" && tree.status("name").st_nlink == 2)
            #expect(try tree.read("moved") == "lower file\n")
            #expect(try tree.read("linked") == "below\n")
            try expectOldOrNew(tree, "sub/deep", "deep\n", "Deep\n")
        }
    }

    /// On ext4, where a sync of the directory brings the capability, too.
    @Test(arguments: Way.all.filter { $0.filesystem.description == Filesystem.ext4.description })
    func `a file that was chmoded, then given a capability, has its data`(way: Way) throws {
        try survive(way) { tree in
            #expect(chmod(tree.path("large"), 0o700) == 0)
            try synchronizeNames(tree)
            try setCapability(tree.path("large"))
            try synchronizeNames(tree)
        } _: { (tree) throws in
            try expectOldOrNew(tree, "large", Self.large, Self.large)
            #expect(try Xattr.get("security.capability", at: FilePath(tree.path("large"))) != nil)
        }
    }

    @Test(arguments: Way.all)
    func `a file that was written in part, synced and then given a capability has all its data`(way: Way)
        throws
    {
        try survive(way) { tree in
            let file = try tree.open("large", O_RDWR)
            try [UInt8(ascii: "x")].withUnsafeBytes { try file.writeAll($0, at: 300_000) }
            try file.synchronize()
            try setCapability(tree.path("large"))
            try synchronizeNames(tree)
        } _: { (tree) throws in
            var new = Array(Self.large.utf8)
            new[300_000] = UInt8(ascii: "x")
            let text = String(decoding: new, as: UTF8.self)
            try expectOldOrNew(tree, "large", text, text)
        }
    }

    /// What is left outside of a large hole is brought, because less is left there than inside.
    @Test(arguments: Way.all) func `a file of which most became a hole has the rest`(way: Way) throws {
        let hole = 20_000..<SmallTree.large - 20_000
        try survive(way) { tree in
            let file = try tree.open("large", O_RDWR)
            // FALLOC_FL_PUNCH_HOLE and KEEP_SIZE.
            let code = file.use { clinux_fallocate($0, 3, Int64(hole.lowerBound), Int64(hole.count)) }
            #expect(code == 0)
            try synchronizeNames(tree)
        } _: { (tree) throws in
            let found = Array(try tree.read("large").utf8)
            let old = Array(Self.large.utf8)
            #expect(found.count == old.count)
            #expect(found[..<hole.lowerBound] == old[..<hole.lowerBound])
            #expect(found[hole.upperBound...] == old[hole.upperBound...])
            #expect(hole.allSatisfy { found[$0] == 0 || found[$0] == old[$0] })
        }
    }

    private func setCapability(_ path: String) throws {
        // cap_net_raw=ep, as VFS_CAP_REVISION_2 stores it.
        let value: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        try Xattr.set("security.capability", value, at: FilePath(path))
    }

    @Test(arguments: Way.all) func `what fdatasync brought is there, under the name that it had`(way: Way)
        throws
    {
        try survive(way) { tree in
            try SmallTree.patch(tree.path("file"), "LOWER", at: 0)
            try synchronizeData(tree.path("file"))
            try tree.write("new", to: "new")
            try synchronizeData(tree.path("new"))
            // Nothing of its data is new, but where it is.
            try synchronizeNames(tree)
            #expect(tree.rename("new", "renamed") == nil)
            try synchronizeData(tree.path("renamed"))
            #expect(chmod(tree.path("large"), 0o600) == 0)
            try synchronizeData(tree.path("large"))
            #expect(link(tree.path("large"), tree.path("full/linked")) == 0)
            try synchronizeData(tree.path("large"))
        } _: { (tree) throws in
            #expect(try tree.read("file") == "LOWER file\n")
            #expect(try tree.read("renamed") == "new")
            try expectOldOrNew(tree, "large", Self.large, Self.large)
            try expectOldOrNew(tree, "full/linked", Self.large, Self.large)
            #expect(try tree.status("large").st_nlink == 2)
        }
    }

    private func synchronizeData(_ path: String) throws {
        let file = try OwnedFD.open(FilePath(path), O_RDWR)
        try file.use { _ = try Errno.check(fdatasync($0)) }
    }

    @Test(arguments: LowerForm.served)
    func `a file that was filled in the background has all its data`(form: LowerForm) throws {
        try survive(Way(form: form, options: ["-o", "metacopy=on,fill=idle"])) { tree in
            try SmallTree.patch(tree.path("large"), "x", at: 300_000)
            let upper = FilePath("\(tree.mount.upper)/large")
            while try Xattr.get("trusted.overlay.metacopy", at: upper) != nil { usleep(10_000) }
            try synchronizeNames(tree)
        } _: { (tree) throws in
            var new = Array(Self.large.utf8)
            new[300_000] = UInt8(ascii: "x")
            try expectOldOrNew(tree, "large", String(decoding: new, as: UTF8.self), Self.large)
        }
    }

    @Test(arguments: LowerForm.served)
    func `a file that was only chmoded, renamed or linked has its data or its old name`(form: LowerForm)
        throws
    {
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
            #expect(firstDifference(found[..<end], from: new[..<end]) == nil)
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
