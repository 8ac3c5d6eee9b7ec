import Glibc
import Linux
import MountFixtures
import Testing

/// The oracle's own tests: two mounts of one stack look the same, and a difference is seen.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `Comparing trees` {
    private func overlay(_ workspace: Workspace, _ name: String, layers: [Layer]) throws -> OverlayMount {
        let directory = try workspace.directory(name)
        return try OverlayMount(
            try layers.unpack(into: directory),
            upper: try workspace.directory("\(name)/upper"),
            work: try workspace.directory("\(name)/work"),
            at: try workspace.directory("\(name)/mount")
        )
    }

    @Test func `finds two overlays of the same layers equal, before and after the same changes`() throws {
        let workspace = try Workspace()
        let one = try overlay(workspace, "one", layers: TrickyLayers.all)
        let two = try overlay(workspace, "two", layers: TrickyLayers.all)
        let now = time(nil) - 2
        #expect(try Tree(at: two.path).differences(from: Tree(at: one.path)) == [])
        var succeeded = 0
        for change in ScriptedChanges.all {
            let outcome = change.apply(to: one.path)
            #expect(change.apply(to: two.path) == outcome, "\(change)")
            if !outcome.hasPrefix("errno") { succeeded += 1 }
        }
        // A script of failures would prove nothing.
        #expect(succeeded > ScriptedChanges.all.count * 2 / 3)
        #expect(try Tree(at: two.path, now: now).differences(from: Tree(at: one.path, now: now)) == [])
    }

    @Test(arguments: 1...20) func `finds overlays of random layers equal after random changes`(
        seed: UInt64
    ) throws {
        let workspace = try Workspace()
        var random = RandomTrees(seed: seed)
        let layers = (0..<6).map { _ in random.layer(entries: 40) }
        let one = try overlay(workspace, "one", layers: layers)
        let two = try overlay(workspace, "two", layers: layers)
        let now = time(nil) - 2
        var succeeded = 0
        for _ in 0..<400 {
            let change = random.change()
            let outcome = change.apply(to: one.path)
            try #require(change.apply(to: two.path) == outcome, "\(change)")
            if !outcome.hasPrefix("errno") { succeeded += 1 }
        }
        #expect(succeeded > 60)
        let tree = try Tree(at: one.path, now: now)
        #expect(try Tree(at: two.path, now: now).differences(from: tree) == [])
    }

    @Test func `names every kind of difference`() throws {
        let workspace = try Workspace()
        let one = try overlay(workspace, "one", layers: [TrickyLayers.bottom])
        let two = try overlay(workspace, "two", layers: [TrickyLayers.bottom])
        for change: Change in [
            .chmod("etc/shadow", 0o600), .chown("etc", 5, 6), .write("home/user/big", "x", at: 1),
            .setTime("bin", 5), .link("etc/empty", to: "etc/full"), .unlink("tmp/.."), .unlink("pipe"),
            .setXattr("bin", "user.x", [1]), .remove("links/loop"), .symlink("else", at: "links/loop"),
            .create("extra"),
        ] {
            _ = change.apply(to: two.path)
        }
        let found = try Tree(at: two.path).differences(from: Tree(at: one.path)).joined(separator: "\n")
        for expected in [
            "etc/shadow: mode", "etc: uid 5", "etc: gid 6", "home/user/big: content", "bin: mtime",
            "etc/full: should not", "bin: xattrs", "links/loop: target",
            "extra: should",
        ] {
            #expect(found.contains(expected), "\(expected) in:\n\(found)")
        }
    }
}
