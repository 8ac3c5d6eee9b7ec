import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// An upper on kernel overlayfs, as it is inside another engine's container: no devices 0:0 can be made there, and
/// rename(2) leaves no whiteouts.
@Suite(.enabled(if: geteuid() == 0, "mounts"), .timeLimit(.minutes(40)))
struct `An upper on an overlay of the kernel` {
    private static let base = """
        mkdir -p etc usr/bin moved/a/b gone/deep swap1 swap2 over; echo root > etc/passwd; echo conf > etc/conf
        for i in 1 2 3 4 5 6; do echo binary $i > usr/bin/prog$i; done
        head -c 300000 /dev/urandom > usr/large; echo 1 > moved/a/b/deep; echo 2 > moved/a/file; : > usr/empty
        echo 3 > gone/deep/file; echo s1 > swap1/f; echo s2 > swap2/f; ln usr/bin/prog1 usr/bin/again
        """

    private static let scripts = [
        "deletions":
            "rm etc/passwd usr/bin/prog[23]; rm -r gone; rmdir over; rm usr/empty; ls etc usr >/dev/null",
        "made again":
            "rm -r gone moved; mkdir gone; echo new > gone/new; rm etc/conf; echo new > etc/conf; mkdir moved",
        "renamed directories": """
        mv moved elsewhere; mv elsewhere/a/b usr/b; mv swap1 t; mv swap2 swap1; mv t swap2; mv gone over/gone
        """,
        "renamed files": """
        mv etc/passwd etc/passwd-; mv usr/bin/prog4 etc/conf; mv usr/bin/prog1 usr/first; rm usr/bin/prog5
        mv usr/bin/prog6 usr/bin/prog5; mv usr/empty usr/void; : > etc/nothing; mv etc/nothing usr/bin/nothing
        """,
        "attributes":
            "chown 5 usr/large; chmod 600 etc/passwd; setfattr -n user.a -v b etc; ln etc/conf etc/conf2",
    ]

    let workspace: Workspace
    let lower: String
    /// A directory on the overlay.
    let overlay: String

    init() throws {
        workspace = try Workspace()
        lower = try workspace.directory("lower")
        try Self.shell(Self.base, in: lower)
        overlay = try workspace.directory("overlay")
        let directories = try ["below", "above", "work"].map { try workspace.directory($0) }
        let options = "lowerdir=\(directories[0]),upperdir=\(directories[1]),workdir=\(directories[2])"
        try Tool.run(
            URL(fileURLWithPath: "/bin/mount"),
            ["-t", "overlay", "-o", options, "overlay", overlay]
        )
    }

    private static func shell(_ script: String, in directory: String) throws {
        try Tool.run(URL(fileURLWithPath: "/bin/sh"), ["-ec", "cd '\(directory)'\n\(script)"])
    }

    /// But for the times of what the scripts changed, one after the other.
    private func differences(_ one: Tree, _ other: Tree) -> [String] {
        one.differences(from: other).filter { !$0.contains(": mtime ") }
    }

    @Test(arguments: scripts.keys.sorted(), LowerForm.served) func `is as good as one on a disk`(
        _ name: String,
        _ form: LowerForm
    ) throws {
        let script = try #require(Self.scripts[name])
        let tree = try Lower(lower, as: form, in: workspace)
        let there = try LayeredMount(tree, in: workspace, uppers: overlay)
        let here = try LayeredMount(tree, in: workspace)
        for mount in [there, here] { try Self.shell(script, in: mount.path) }
        for round in ["first", "after a remount"] {
            let (mine, expected) = (try Tree(at: there.path), try Tree(at: here.path))
            #expect(mine.oddities == [])
            let found = differences(mine, expected)
            #expect(found == [], "\(round):\n\(found.joined(separator: "\n"))")
            for mount in [there, here] {
                try mount.unmount()
                try mount.mount()
            }
        }
        // And goes on from there.
        for mount in [there, here] {
            try Self.shell("rm -r usr etc; mkdir etc; mv swap1 etc/x", in: mount.path)
        }
        try there.remount()
        let found = try differences(Tree(at: there.path), Tree(at: here.path))
        #expect(found == [], "\(found.joined(separator: "\n"))")
    }

    @Test func `can be compared and committed`() throws {
        let mica = Tool.binaries.appendingPathComponent("mica")
        let store = "\(overlay)/store"
        let mount = try workspace.directory("mount")
        let tar = "\(workspace.path)/lower.tar"
        try Tool.run(URL(fileURLWithPath: "/usr/bin/tar"), ["-C", lower, "-cf", tar, "."])
        try Tool.run(mica, ["import", "-q", tar, "lower"], store: store)
        try Tool.run(mica, ["mount", "--rw", "--name", "work", "lower", mount], store: store)
        try Self.shell("rm etc/passwd; mv moved elsewhere; rm -r gone; mkdir gone", in: mount)
        let before = try Tree(at: mount)
        try Tool.run(mica, ["umount", mount], store: store)
        let changes = try Tool.run(mica, ["diff", "work"], store: store).split(separator: "\n").map(
            String.init
        )
        for change in ["D /etc/passwd", "D /moved", "A /elsewhere", "D /gone/deep"] {
            #expect(changes.contains(change), "\(changes)")
        }
        try Tool.run(mica, ["commit", "work", "saved"], store: store)
        try Tool.run(mica, ["mount", "saved", mount], store: store)
        let found = try differences(Tree(at: mount), before)
        #expect(found == [], "\(found.joined(separator: "\n"))")
        try Tool.run(mica, ["umount", mount], store: store)
    }

    @Test func `keeps its whiteouts in a form that the kernel reads`() throws {
        let mount = try LayeredMount(
            Lower(lower, as: .directory, in: workspace),
            in: workspace,
            uppers: overlay
        )
        try Self.shell("rm etc/passwd; mv usr/bin/prog4 usr/bin/prog7", in: mount.path)
        for (directory, name) in [("etc", "passwd"), ("usr/bin", "prog4")] {
            let path = FilePath("\(mount.upper)/\(directory)")
            #expect(try Xattr.get("trusted.overlay.opaque", at: path) == [UInt8(ascii: "x")])
            let whiteout = path.appending(name)
            let status = try whiteout.status()
            #expect(status.st_mode & S_IFMT == S_IFREG)
            #expect(status.st_size == 0)
            #expect(try Xattr.get("trusted.overlay.whiteout", at: whiteout) != nil)
        }
    }
}
