import Linux
import MountFixtures
import SystemPackage
import Testing

import CLinux
import Glibc

@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts and makes files immutable"))
struct `What lsattr says of a file` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private func flags(_ path: String) throws -> UInt32 {
        let file = try OwnedFD.open(FilePath(path), O_RDONLY | O_NONBLOCK)
        var flags: UInt32 = 0
        let result = file.use { clinux_get_flags($0, &flags) }
        guard result >= 0 else { throw Errno(rawValue: -result) }
        return flags
    }

    private func set(_ flags: UInt32, _ path: String) throws {
        let file = try OwnedFD.open(FilePath(path), O_RDONLY | O_NONBLOCK)
        let result = file.use { clinux_set_flags($0, flags) }
        guard result >= 0 else { throw Errno(rawValue: -result) }
    }

    private static let noDump: UInt32 = 0x40
    private static let immutable = UInt32(CLINUX_IMMUTABLE_FL)

    @Test(arguments: LowerForm.served) func `is what its filesystem says`(form: LowerForm) throws {
        let disk = try LoopDisk(in: workspace, megabytes: 32)
        let tree = try SmallTree(form, in: workspace, uppers: disk.path)
        try tree.write("new\n", to: "new")
        for name in ["new", "file", "full"] {
            #expect(try flags(tree.path(name)) & Self.noDump == 0)
            try set(flags(tree.path(name)) | Self.noDump, tree.path(name))
            #expect(try flags(tree.path(name)) & Self.noDump != 0)
            #expect(try flags("\(tree.mount.upper)/\(name)") & Self.noDump != 0)
            // How ext4 stores the copy is its own business: by extents.
            #expect(try flags("\(tree.mount.upper)/\(name)") & 0x8_0000 != 0)
            // And FS_JOURNAL_DATA_FL, FS_CASEFOLD_FL.
            for refused in [Self.immutable, 0x4000, 0x4000_0000] {
                #expect(throws: Errno.notSupported) {
                    try set(flags(tree.path(name)) | refused, tree.path(name))
                }
            }
        }
        #expect(try tree.read("file") == "lower file\n")
    }

    @Test func `keeps what is immutable in its layer from changes`() throws {
        let disk = try LoopDisk(in: workspace, megabytes: 32)
        let lower = "\(disk.path)/lower"
        for name in ["", "/dir"] { try FilePath(lower + name).makeDirectory() }
        for name in ["file", "victim", "dir/file"] { try SmallTree.write("old\n", to: "\(lower)/\(name)") }
        let kept = ["file", "victim", "dir"].map { "\(lower)/\($0)" }
        for path in kept { try set(flags(path) | Self.immutable, path) }
        defer { for path in kept { try? set(flags(path) & ~Self.immutable, path) } }
        let mount = try LayeredMount(Lower(layers: [lower]), in: workspace)
        let file = "\(mount.path)/file"
        #expect(try flags(file) & Self.immutable != 0)
        #expect(throws: Errno.notPermitted) { try SmallTree.patch(file, "x", at: 0) }
        try SmallTree.write("mine\n", to: "\(mount.path)/mine")
        for failing in [
            truncate(file, 0), chmod(file, 0o600), unlink(file), rename(file, "\(mount.path)/other"),
            link(file, "\(mount.path)/other"), rename("\(mount.path)/mine", file),
            unlink("\(mount.path)/dir/file"), mkdir("\(mount.path)/dir/new", 0o755),
            chmod("\(mount.path)/dir", 0o700),
            rename("\(mount.path)/dir", "\(mount.path)/other"),
        ] { #expect(failing == -1) }
        #expect(try SmallTree.read(file) == "old\n")
        // As on any filesystem, what is in such a directory may be written to.
        try SmallTree.patch("\(mount.path)/dir/file", "new", at: 0)
        #expect(unlink("\(mount.path)/dir/file") == -1 && Errno.last == .notPermitted)
        // And the flag can be taken from a file.
        try set(flags(file) & ~Self.immutable, file)
        try SmallTree.patch(file, "new", at: 0)
        #expect(try SmallTree.read(file) == "new\n")
        #expect(try SmallTree.read("\(lower)/file") == "old\n")
        try mount.unmount()
    }
}
