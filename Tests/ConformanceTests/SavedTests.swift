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
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0 && areInstalled, "mounts, and asks \(tools)"))
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

    /// The directories that `TrickyLayers` omit: a program that unpacks those makes them now.
    private static let omitted: Layer = [
        .directory("implied"), .directory("implied/by"), .directory("x"),
    ]

    /// What `ScriptedChanges` do not make or change.
    private static let more: [Change] = [
        .mkdir("saved", 0o1751), .chown("saved", 2_000_000, 2_097_153),
        .setXattr("saved", "user.directory", [0, 255, 10, 61]),
        .setXattr("saved", "trusted.directory", [1]),
        // user::rw-, user 1000:r--, group::r--, mask::r--, other::r--
        .create("saved/acl", "x"),
        .setXattr(
            "saved/acl",
            "system.posix_acl_access",
            [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 232, 3, 0, 0]
                + [4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 4, 0]
                + [255, 255, 255, 255]
        ),
        .create("saved/set", "x"), .chown("saved/set", 7, 8), .chmod("saved/set", 0o6755),
        .create("saved/capable", "x"), .chmod("saved/capable", 0o755),
        .setXattr(
            "saved/capable",
            "security.capability",
            [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        ),
        .mknod("saved/fifo", S_IFIFO | 0o620), .link("saved/fifo", to: "saved/fifo again"),
        .mknod("saved/disk", S_IFBLK | 0o660, device(259, 70_000)), .chown("saved/disk", 9, 10),
        .link("saved/disk", to: "saved/disk again"),
        .setXattr("saved/disk", "trusted.device", [1]),
        .symlink(String(repeating: "n/", count: 2000), at: "saved/link"), .chown("saved/link", 5, 6),
        .link("saved/link", to: "saved/link again"),
        .setXattr("saved/link", "trusted.link", [1]),
        .create("saved/holes", "x"), .truncate("saved/holes", to: 3_000_001),
        .setTime("saved/holes", 1_234_567_890, 123_456_789), .setTime("saved/fifo", 4_102_444_800, 1),
        .setTime("saved/link", 1_000_000_000, 999_999_999), .setTime("saved/disk", 1, 0),
        .setTime("saved", 1_500_000_000, 5),
    ]

    /// Changes an image with everything in it, commits and saves it; where it is mounted, and the archive.
    private func saved() throws -> (mount: String, archive: String) {
        try store.load([Self.omitted] + TrickyLayers.all, as: "tricky", using: workspace)
        let changed = try workspace.directory("changed")
        try store.run("mount", ["--rw", "--name", "changed", "-o", "suid,dev", "tricky", changed])
        for change in ScriptedChanges.all { _ = change.apply(to: changed) }
        // No archive can hold it.
        _ = Change.unlink("dev/socket").apply(to: changed)
        for change in Self.more {
            let outcome = change.apply(to: changed)
            #expect(!outcome.hasPrefix("errno"), "\(change): \(outcome)")
        }
        try store.run("umount", [changed])
        try store.run("commit", ["changed", "localhost/saved:1"])
        let mount = try workspace.directory("mount")
        try store.run("mount", ["-o", "suid,dev", "localhost/saved:1", mount])
        let archive = "\(workspace.path)/saved.tar"
        try store.run("save", ["-o", archive, "localhost/saved:1"])
        return (mount, archive)
    }

    /// A directory whose time and attributes are set once it is full.
    private static let newDirectory: Path = "saved"

    /// What other tools do not take from a layer that has it.
    ///
    /// Attributes without a value: Go's archive/tar takes a PAX record without a value for none, as POSIX has it of its own
    /// records, so docker, podman and umoci do not set them. containerd does. The times of directories in which they
    /// make something for a later layer.
    private func comparable(_ tree: Tree) -> Tree {
        tree.changing { path, facts in
            facts.xattrs = facts.xattrs.filter { !$0.value.isEmpty }
            if facts.mode & S_IFMT == S_IFDIR, path != Self.newDirectory { facts.time = nil }
        }
    }

    /// `odd`: what is different of the image itself, as it was loaded. A whiteout in a directory that no layer has makes
    /// the directory in mica, as in docker, and none in umoci.
    private func expectSame(
        _ theirs: String,
        as mine: String,
        beside odd: Set<String> = ["never: missing"],
        but change: (Path, inout FileFacts) -> Void = { _, _ in },
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        let theirs = comparable(try Tree(at: theirs)).changing(change)
        let mine = comparable(try Tree(at: mine)).changing(change)
        let differences = theirs.differences(from: mine).filter { !odd.contains($0) }
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
        try expectSame(copied, as: mount, beside: [])
    }

    @Test func `is the same tree to podman`() throws {
        let (mount, archive) = try saved()
        let podman =
            ["--root", "--runroot", "--tmpdir"].flatMap { [$0, "\(workspace.path)/podman\($0)"] }
            + ["--storage-driver", "vfs"]
        try run("podman", podman + ["load", "-q", "-i", archive])
        let root = try run("podman", podman + ["image", "mount", "localhost/saved:1"])
        // A whiteout of a directory, after entries of it in the same layer, takes them away where layers are copied.
        let odd: Set<String> = ["remade: mode 40755 ≠ 40770", "remade/new: missing"]
        try expectSame(String(root.dropLast()), as: mount, beside: odd) { path, facts in
            guard facts.mode & S_IFMT == S_IFDIR, path != Self.newDirectory else { return }
            // It makes the root itself, and skips the layers' entries for it, as docker does.
            if path == .root { facts.mode = S_IFDIR | 0o755 }
            // Where layers are copied (vfs) it takes no attribute away from a directory that a layer changes.
            facts.xattrs = [:]
        }
        try run("podman", podman + ["image", "umount", "-a"])
    }
}
