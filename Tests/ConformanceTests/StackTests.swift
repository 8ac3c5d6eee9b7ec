import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// micafs over directories against the kernel's overlayfs over the same directories.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `Directories stacked by micafs` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// An upper that looks like the topmost layer: it is the root of the mount.
    private func upper(_ name: String, like layers: [String]) throws -> String {
        let directory = try workspace.directory(name)
        let top = try FilePath(#require(layers.last)).status()
        let upper = try workspace.directory("\(name)/upper")
        try Errno.check(chown(upper, top.st_uid, top.st_gid))
        try Errno.check(chmod(upper, top.st_mode & 0o7777))
        try Errno.check(utimensat(AT_FDCWD, upper, [top.st_atim, top.st_mtim], 0))
        return directory
    }

    private func kernel(_ layers: [String], features: String? = nil) throws -> OverlayMount {
        try OverlayMount(
            layers,
            upper: try workspace.directory("kernel/upper"),
            work: try workspace.directory("kernel/work"),
            at: try workspace.directory("kernel/mount"),
            features: features ?? "redirect_dir=on,metacopy=off,index=on"
        )
    }

    /// Unlike an image's layer: overlayfs merges roots without looking for the mark.
    @Test func `are merged in their roots, opaque or not`() throws {
        let bottom: Layer = [
            .directory("", 0o755).at(1_400_000_000), .directory("etc"), .file("etc/old", "o"),
        ]
        let top: Layer = [
            .directory("", 0o711).at(1_450_000_000), .opaque(""), .directory("etc", 0o750),
            .file("etc/new", "n"),
        ]
        let layers = try [bottom, top].unpack(into: try workspace.directory("layers"))
        let overlay = try kernel(layers)
        let mica = try LayeredMount(
            Lower(layers: layers),
            in: workspace,
            uppers: try upper("mica", like: layers)
        )
        #expect(FilePath("\(overlay.path)/etc/old").exists)
        try expectSame(mica.path, as: overlay.path, "a root")
        try mica.unmount()
    }

    @Test func `take a series of changes, keep them, and the kernel reads the same upper`() throws {
        let layers = try TrickyLayers.all.unpack(into: try workspace.directory("layers"))
        let overlay = try kernel(layers)
        let mica = try LayeredMount(
            Lower(layers: layers),
            in: workspace,
            uppers: try upper("mica", like: layers)
        )
        try expectSame(mica.path, as: overlay.path, "before the changes")
        let now = time(nil) - 2
        for change in ScriptedChanges.all {
            #expect(change.apply(to: mica.path) == change.apply(to: overlay.path), "\(change)")
        }
        try expectSame(mica.path, as: overlay.path, now: now, "after the changes")
        try mica.remount()
        try expectSame(mica.path, as: overlay.path, now: now, "after a remount")
        try mica.unmount()
        let reader = try OverlayMount(
            layers,
            upper: mica.upper,
            at: try workspace.directory("reader")
        )
        let differences = try Tree(at: reader.path, now: now).differences(
            from: Tree(at: overlay.path, now: now)
        )
        #expect(differences == [], "\(differences.joined(separator: "\n"))")
    }

    @Test(arguments: Seeds.all) func `agree about random layers and random changes`(seed: UInt64) throws {
        var random = RandomTrees(seed: seed)
        let descriptions = (0..<6).map { _ in random.layer(entries: 40) }
        let layers = try descriptions.unpack(into: try workspace.directory("layers"))
        let overlay = try kernel(layers)
        let mica = try LayeredMount(
            Lower(layers: layers),
            in: workspace,
            uppers: try upper("mica", like: layers)
        )
        let now = time(nil) - 2
        for number in 0..<300 {
            let change = random.change()
            let (mine, theirs) = (change.apply(to: mica.path), change.apply(to: overlay.path))
            try #require(mine == theirs, "seed \(seed), change \(number): \(change)")
            if mine.hasPrefix("errno") {
                // The kernel's overlayfs changes a directory's time even by a rename that it refuses.
                for directory in change.directories {
                    let settle = Change.setTime(directory, 1_200_000_000)
                    _ = (settle.apply(to: mica.path), settle.apply(to: overlay.path))
                }
            }
            guard number % 100 == 99 else { continue }
            try expectSame(mica.path, as: overlay.path, now: now, "seed \(seed), after change \(number)")
            try mica.remount()
            try expectSame(mica.path, as: overlay.path, now: now, "seed \(seed), remounted")
        }
    }

    @Test(arguments: [
        "index=off,redirect_dir=off,metacopy=off", "redirect_dir=on,metacopy=off,index=off",
        "redirect_dir=on,metacopy=off,index=on", "redirect_dir=on,metacopy=on,index=on",
    ]) func `show what the kernel wrote as the kernel does, as an upper and as a lower`(
        features: String
    ) throws {
        let layers = try TrickyLayers.all.unpack(into: try workspace.directory("layers"))
        let overlay = try kernel(layers, features: features)
        for change in ScriptedChanges.all { _ = change.apply(to: overlay.path) }
        let expected = try Tree(at: overlay.path)
        try overlay.unmount()
        let kernel = try workspace.directory("kernel")
        // As a lower, under an upper with nothing in it.
        let above = try LayeredMount(
            Lower(layers: layers + ["\(kernel)/upper"]),
            in: workspace,
            uppers: try upper("above", like: ["\(kernel)/upper"])
        )
        let differences = try Tree(at: above.path).differences(from: expected)
        #expect(differences == [], "as a lower:\n\(differences.joined(separator: "\n"))")
        try above.unmount()
        try FilePath("\(kernel)/work").removeTree()
        let same = try LayeredMount(Lower(layers: layers), in: workspace, uppers: kernel)
        let others = try Tree(at: same.path).differences(from: expected)
        #expect(others == [], "as an upper:\n\(others.joined(separator: "\n"))")
        try same.unmount()
    }
}
