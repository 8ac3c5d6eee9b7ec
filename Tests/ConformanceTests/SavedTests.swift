import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

private func isInstalled(_ tool: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: "/usr/bin/\(tool)")
}

/// What mica commits and saves, through the tools that read it, against mica's own mount of it: every kind of file,
/// with owners, times, modes, links and extended attributes.
@Suite(.enabled(if: geteuid() == 0, "mounts"))
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

    /// Changes an image with everything in it, commits and saves it; where it is mounted, and the archive.
    private func saved() throws -> (mount: String, archive: String) {
        try store.load(TrickyLayers.all, as: "tricky", using: workspace)
        let changed = try workspace.directory("changed")
        try store.run("mount", ["--rw", "--name", "changed", "tricky", changed])
        for change in ScriptedChanges.all { _ = change.apply(to: changed) }
        _ = Change.unlink("dev/socket").apply(to: changed)
        try store.run("umount", [changed])
        try store.run("commit", ["changed", "localhost/saved:1"])
        let mount = try workspace.directory("mount")
        try store.run("mount", ["localhost/saved:1", mount])
        let archive = "\(workspace.path)/saved.tar"
        try store.run("save", ["-o", archive, "localhost/saved:1"])
        return (mount, archive)
    }

    private func expectSame(_ theirs: String, as mine: String, _ location: SourceLocation = #_sourceLocation)
        throws
    {
        // umoci and podman make directories that the base's tars omit now, and change times while they unpack.
        let differences = try Tree(at: theirs).withoutDirectoryTimes.differences(
            from: Tree(at: mine).withoutDirectoryTimes
        )
        #expect(differences == [], "\(differences.joined(separator: "\n"))", sourceLocation: location)
    }

    @Test(.enabled(if: isInstalled("umoci"), "umoci is not installed"))
    func `is the same tree to umoci`() throws {
        let (mount, archive) = try saved()
        let layout = try workspace.directory("layout")
        try run("tar", ["-xf", archive, "-C", layout])
        let bundle = "\(workspace.path)/bundle"
        try run("umoci", ["unpack", "--image", "\(layout):1", bundle])
        try expectSame("\(bundle)/rootfs", as: mount)
    }

    @Test(.enabled(if: isInstalled("umoci") && isInstalled("skopeo"), "umoci or skopeo is not installed"))
    func `is the same tree to skopeo`() throws {
        let (mount, archive) = try saved()
        let layout = "\(workspace.path)/layout"
        try run("skopeo", ["--insecure-policy", "copy", "docker-archive:\(archive)", "oci:\(layout):1"])
        let bundle = "\(workspace.path)/bundle"
        try run("umoci", ["unpack", "--image", "\(layout):1", bundle])
        try expectSame("\(bundle)/rootfs", as: mount)
    }

    @Test(.enabled(if: isInstalled("podman"), "podman is not installed"))
    func `is the same tree to podman`() throws {
        let (mount, archive) = try saved()
        let podman = ["--root", "--runroot", "--tmpdir"].flatMap { [$0, "\(workspace.path)/podman\($0)"] }
        let options = podman + ["--storage-driver", "vfs"]
        try run("podman", options + ["load", "-q", "-i", archive])
        let root = try run("podman", options + ["image", "mount", "localhost/saved:1"])
        try expectSame(String(root.dropLast()), as: mount)
        try run("podman", options + ["image", "umount", "-a"])
    }
}
