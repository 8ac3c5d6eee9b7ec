import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

private let tools = ["umoci", "skopeo", "podman"]
private let areInstalled = tools.allSatisfy { FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)") }

/// What mica commits and saves, through the tools that read it, against mica's own mount of it: every kind of file,
/// with owners, times, modes, links and extended attributes. (docker 20.10 and containerd 1.6, which are not here, were
/// compared by hand in the same way: docs/IMAGES.md.)
@Suite(.timeLimit(.minutes(20)), .enabled(if: geteuid() == 0 && areInstalled, "mounts, and asks \(tools)"))
struct `A committed and saved image` {
    let workspace: Workspace
    let store: MicaStore

    init() throws {
        workspace = try Workspace()
        store = MicaStore(root: try workspace.directory("store"))
    }

    @discardableResult
    private func run(_ tool: String, _ arguments: [String]) throws -> String {
        try Tool.run(URL(fileURLWithPath: "/usr/bin/\(tool)"), arguments)
    }

    /// The directories that `TrickyLayers` omit: whoever unpacks those makes them now.
    private static let omitted: Layer = [
        .directory("implied"), .directory("implied/by"), .directory("x"),
    ]

    /// What `ScriptedChanges` do not make or change.
    private static let more: [Change] = [
        .mkdir("kinds/new", 0o1751), .chown("kinds/new", 2_000_000, 2_097_153),
        .setXattr("kinds/new", "user.of a directory", [0, 255, 10, 61]),
        .setXattr("kinds/new", "trusted.of a directory", [1]),
        // user::rw-, user 1000:r--, group::r--, mask::r--, other::r--
        .create("kinds/new/acl", "x"),
        .setXattr(
            "kinds/new/acl",
            "system.posix_acl_access",
            [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 232, 3, 0, 0]
                + [4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 4, 0]
                + [255, 255, 255, 255]
        ),
        .create("kinds/new/set", "x"), .chown("kinds/new/set", 7, 8), .chmod("kinds/new/set", 0o6755),
        .create("kinds/new/capable", "x"), .chmod("kinds/new/capable", 0o755),
        .setXattr(
            "kinds/new/capable",
            "security.capability",
            [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        ),
        .mknod("kinds/new/fifo", S_IFIFO | 0o620), .link("kinds/new/fifo", to: "kinds/new/fifo again"),
        .mknod("kinds/new/disk", S_IFBLK | 0o660, device(259, 70_000)), .chown("kinds/new/disk", 9, 10),
        .link("kinds/new/disk", to: "kinds/new/disk again"),
        .setXattr("kinds/new/disk", "trusted.of a device", [1]),
        .symlink(String(repeating: "n/", count: 2000), at: "kinds/new/link"), .chown("kinds/new/link", 5, 6),
        .link("kinds/new/link", to: "kinds/new/link again"),
        .setXattr("kinds/new/link", "trusted.of a link", [1]),
        .create("kinds/new/holes", "x"), .truncate("kinds/new/holes", to: 3_000_001),
        .setTime("kinds/new/holes", 1_234_567_890, 123_456_789), .setTime("kinds/new/fifo", 4_102_444_800, 1),
        .setTime("kinds/new/link", 1_000_000_000, 999_999_999), .setTime("kinds/new/disk", 1, 0),
        .setTime("kinds/new", 1_500_000_000, 5), .setTime("kinds", 1_500_000_000, 6),
    ]

    /// Changes an image with everything in it, commits and saves it; where it is mounted, and the archive.
    private func saved() throws -> (mount: String, archive: String) {
        try store.load([Self.omitted] + TrickyLayers.all, as: "tricky", using: workspace)
        let changed = try workspace.directory("changed")
        try store.run("mount", ["--rw", "--name", "changed", "-o", "suid,dev", "tricky", changed])
        for change in ScriptedChanges.all { _ = change.apply(to: changed) }
        // No archive can hold it.
        _ = Change.unlink("dev/socket").apply(to: changed)
        for change in Self.more { #expect(change.apply(to: changed) == "ok", "\(change)") }
        try store.run("umount", [changed])
        try store.run("commit", ["changed", "localhost/saved:1"])
        let mount = try workspace.directory("mount")
        try store.run("mount", ["-o", "suid,dev", "localhost/saved:1", mount])
        let archive = "\(workspace.path)/saved.tar"
        try store.run("save", ["-o", archive, "localhost/saved:1"])
        return (mount, archive)
    }

    /// Go's archive/tar takes a PAX record without a value for none, as POSIX has it of its own records: the attribute is
    /// in the layer, and docker, podman and umoci do not set it. containerd does.
    private func withoutEmptyXattrs(_ tree: Tree) -> Tree {
        tree.changing { $1.xattrs = $1.xattrs.filter { !$0.value.isEmpty } }
    }

    private func expectSame(
        _ theirs: String,
        as mine: String,
        but change: (Path, inout FileFacts) -> Void = { _, _ in },
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        let theirs = withoutEmptyXattrs(try Tree(at: theirs)).changing(change)
        let mine = withoutEmptyXattrs(try Tree(at: mine)).changing(change)
        let differences = theirs.differences(from: mine)
        #expect(differences == [], "\(differences.joined(separator: "\n"))", sourceLocation: location)
    }

    @Test func `is the same tree to umoci`() throws {
        let (mount, archive) = try saved()
        let layout = try workspace.directory("layout")
        try run("tar", ["-xf", archive, "-C", layout])
        try run("umoci", ["unpack", "--image", "\(layout):1", "\(workspace.path)/bundle"])
        try expectSame("\(workspace.path)/bundle/rootfs", as: mount)
    }

    /// As one kind of archive and as the other, and compressed: what skopeo makes of it umoci unpacks, and mica.
    @Test(arguments: ["docker-archive", "oci-archive"])
    func `is the same tree to skopeo`(transport: String) throws {
        let (mount, archive) = try saved()
        let layout = "\(workspace.path)/layout"
        try run("skopeo", ["--insecure-policy", "copy", "-q", "\(transport):\(archive)", "oci:\(layout):1"])
        try run("umoci", ["unpack", "--image", "\(layout):1", "\(workspace.path)/bundle"])
        try expectSame("\(workspace.path)/bundle/rootfs", as: mount)
        let other = MicaStore(root: try workspace.directory("other"))
        try other.run("load", ["-q", "-i", layout, "-t", "copied"])
        let copied = try workspace.directory("copied")
        try other.run("mount", ["-o", "suid,dev", "copied", copied])
        try expectSame(copied, as: mount)
    }

    @Test func `is the same tree to podman`() throws {
        let (mount, archive) = try saved()
        // Each layer by itself, as in its usual setting: copying layers (vfs), podman never takes an attribute away from
        // a directory, and docker takes them all.
        let podman =
            ["--root", "--runroot", "--tmpdir"].flatMap { [$0, "\(workspace.path)/podman\($0)"] }
            + ["--storage-driver", "overlay"]
        try run("podman", podman + ["load", "-q", "-i", archive])
        let root = try run("podman", podman + ["image", "mount", "localhost/saved:1"])
        // It makes the root itself, and skips the layers' entries for it, as docker does.
        try expectSame(String(root.dropLast()), as: mount) { path, facts in
            if path == .root { (facts.mode, facts.time) = (S_IFDIR | 0o755, nil) }
        }
        try run("podman", podman + ["image", "umount", "-a"])
    }
}
