import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// A mica mount against the kernel's overlayfs: the same layers must look the same, and take the same changes
/// with the same results.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `An image mounted by mica` {
    let workspace: Workspace
    let store: MicaStore

    init() throws {
        workspace = try Workspace()
        store = MicaStore(root: try workspace.directory("store"))
    }

    /// The layers, stacked by the kernel.
    private func overlay(_ layers: [Layer], writable: Bool) throws -> OverlayMount {
        let directory = try workspace.directory("overlay")
        let lowers = try layers.unpack(into: directory)
        let upper = writable ? try workspace.directory("overlay/upper") : nil
        let work = writable ? try workspace.directory("overlay/work") : nil
        return try OverlayMount(
            lowers,
            upper: upper,
            work: work,
            at: try workspace.directory("overlay/mount")
        )
    }

    private func mount(_ image: String, _ options: String...) throws -> String {
        let mountpoint = try workspace.directory("mica-\(UUID().uuidString)")
        // As the kernel mounts the other one.
        try store.run("mount", options + ["-o", "suid,dev", image, mountpoint])
        return mountpoint
    }

    @Test func `shows every kind of file and every way of hiding one`() throws {
        try store.load(TrickyLayers.all, as: "tricky", using: workspace)
        let overlay = try overlay(TrickyLayers.all, writable: false)
        let mica = try mount("tricky")
        try expectSame(mica, as: overlay.path, "read-only")
        try store.run("umount", [mica])
    }

    @Test func `shows nothing of what is below a layer whose root directory is opaque, as umoci does`() throws
    {
        let layers: [Layer] = [
            TrickyLayers.bottom,
            [
                .directory("", 0o711).at(1_450_000_000), .opaque(""), .directory("etc", 0o750),
                .file("etc/only", "this\n"), .file("new", "x"),
            ],
            [.file("etc/on top", "y"), .whiteout("new"), .directory("", 0o715).at(1_460_000_000)],
        ]
        try store.load(layers, as: "root:1", using: workspace)
        let (layout, bundle) = (try workspace.directory("layout"), "\(workspace.path)/bundle")
        try store.run("save", ["-o", "\(layout).tar", "root:1"])
        try Tool.run(
            URL(fileURLWithPath: "/bin/sh"),
            ["-ec", "tar -C '\(layout)' -xf '\(layout).tar'; umoci unpack --image '\(layout):1' '\(bundle)'"]
        )
        try expectSame(try mount("root:1"), as: "\(bundle)/rootfs", "an image")
        let changed = try mount("root:1", "--rw", "--name", "changed")
        try expectSame(changed, as: "\(bundle)/rootfs", "with an upper")
    }

    @Test func `takes a series of changes, keeps them over a remount, and commits them`() throws {
        try store.load(TrickyLayers.all, as: "tricky", using: workspace)
        let overlay = try overlay(TrickyLayers.all, writable: true)
        let mica = try mount("tricky", "--rw", "--name", "changed")
        try expectSame(mica, as: overlay.path, "before the changes")
        let now = time(nil) - 2
        for change in ScriptedChanges.all {
            #expect(change.apply(to: mica) == change.apply(to: overlay.path), "\(change)")
        }
        try expectSame(mica, as: overlay.path, now: now, "after the changes")
        try store.run("umount", [mica])
        let again = try mount("tricky", "--rw", "--name", "changed")
        try expectSame(again, as: overlay.path, now: now, "after a remount")
        // No archive can hold a socket.
        let socket = Change.unlink("dev/socket")
        #expect(socket.apply(to: again) == socket.apply(to: overlay.path))
        try store.run("umount", [again])
        try store.run("commit", ["changed", "tricky:changed"])
        try expectSame(try mount("tricky:changed"), as: overlay.path, now: now, "committed")
    }

    @Test func `leaves an upper directory that the kernel's overlayfs reads the same way`() throws {
        try store.load(TrickyLayers.all, as: "tricky", using: workspace)
        let mica = try mount("tricky", "--rw", "--name", "changed")
        for change in ScriptedChanges.all { _ = change.apply(to: mica) }
        let before = try Tree(at: mica)
        try store.run("umount", [mica])
        try store.run("materialize", ["changed"])
        let directory = try workspace.directory("kernel")
        let kernel = try OverlayMount(
            try TrickyLayers.all.unpack(into: directory),
            upper: try store.upper(),
            work: nil,
            at: try workspace.directory("kernel/mount")
        )
        let differences = try Tree(at: kernel.path).differences(from: before)
        #expect(differences == [], "\(differences.joined(separator: "\n"))")
    }

    @Test(arguments: Seeds.all) func `agrees about random layers and random changes`(seed: UInt64) throws {
        var random = RandomTrees(seed: seed)
        let layers = (0..<6).map { _ in random.layer(entries: 40) }
        try store.load(layers, as: "random", using: workspace)
        let overlay = try overlay(layers, writable: true)
        let mica = try mount("random", "--rw", "--name", "random")
        try expectSame(mica, as: overlay.path, "seed \(seed), before the changes")
        let now = time(nil) - 2
        for number in 0..<400 {
            let change = random.change()
            let (mine, theirs) = (change.apply(to: mica), change.apply(to: overlay.path))
            try #require(mine == theirs, "seed \(seed), change \(number): \(change)")
            if mine.hasPrefix("errno") {
                // The kernel's overlayfs changes a directory's time even by a rename that it refuses.
                for directory in change.directories {
                    let settle = Change.setTime(directory, 1_200_000_000)
                    _ = (settle.apply(to: mica), settle.apply(to: overlay.path))
                }
            }
            guard number % 50 == 49 else { continue }
            try expectSame(
                mica,
                as: overlay.path,
                now: now,
                "seed \(seed), after change \(number): \(change)"
            )
        }
        let before = try Tree(at: mica)
        try store.run("umount", [mica])
        try store.run("settle", ["random"])
        // What mica wrote, as the kernel reads it.
        let directory = try workspace.directory("kernel")
        let kernel = try OverlayMount(
            try layers.unpack(into: directory),
            upper: try store.upper(),
            work: nil,
            at: try workspace.directory("kernel/mount")
        )
        let differences = try Tree(at: kernel.path).differences(from: before)
        #expect(differences == [], "seed \(seed):\n\(differences.joined(separator: "\n"))")
    }
}
