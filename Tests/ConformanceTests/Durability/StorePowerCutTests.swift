import Digests
import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// The store on a filesystem of its own, whose power is cut right after a command has said that it is done.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `What a command has reported, after a power cut` {
    private let workspace: Workspace

    init() throws { workspace = try Workspace() }

    static let filesystems = Filesystem.journalled

    private static let large = [UInt8]((0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 251) })
    private static let base: Layer = [.directory("d"), .file("d/small", "small"), .file("name", "one")]

    /// Prepares a store, cuts the power behind `change`, and looks at what is left.
    private func survive<R>(
        _ filesystem: Filesystem,
        _ change: (MicaStore) throws -> R,
        _ check: (MicaStore, R) throws -> Void
    ) throws {
        let disk = try LoopDisk(in: workspace, filesystem)
        let store = MicaStore(root: "\(disk.path)/store")
        try store.load([Self.base], as: "base", using: workspace)
        // All of that is on the disk.
        sync()
        let result = try change(store)
        try disk.cutPower()
        try disk.unmount()
        try disk.mount()
        try check(store, result)
        // Nothing is half there.
        try store.run("fsck", ["--deep"])
        try store.run("gc", [])
        try store.run("fsck", ["--deep"])
        #expect(try store.run("images", ["-q", "base"]).count == 13)
        try disk.unmount()
    }

    /// The archive's digest: it holds the layers byte for byte.
    private func saved(_ store: MicaStore, _ image: String) throws -> Digest {
        let path = "\(workspace.path)/saved-\(UUID().uuidString).tar"
        defer { try? FilePath(path).unlink() }
        try store.run("save", ["-o", path, image])
        return SHA256.digest(of: try OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 1 << 28))
    }

    private func archive(_ layers: [Layer], named name: String) throws -> String {
        let path = "\(workspace.path)/\(name).tar"
        try Data(try DockerArchive.bytes(of: layers, named: name)).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test(arguments: filesystems, [true, false])
    func `an image that was loaded is there, and is saved as it came`(
        filesystem: Filesystem,
        hasLargeFiles: Bool
    ) throws {
        let small: Layer = (0..<50).map { .file(Path(Array("f\($0)".utf8)), "content \($0)") }
        let layer = small + (hasLargeFiles ? [LayerEntry(path: "large", kind: .file(Self.large))] : [])
        let path = try archive([Self.base, layer], named: "new")
        try survive(filesystem) { store in
            try store.run("load", ["-i", path])
        } _: { (store, _) throws in
            let other = MicaStore(root: try workspace.directory("other-\(UUID().uuidString)"))
            try other.run("load", ["-i", path])
            #expect(try saved(store, "new") == saved(other, "new"))
        }
    }

    @Test(arguments: filesystems) func `an image that was imported or committed is there`(
        filesystem: Filesystem
    ) throws {
        let tar = "\(workspace.path)/root.tar"
        let layer: Layer = [LayerEntry(path: "large", kind: .file(Self.large)), .file("small", "x")]
        try Data(layer.tar)
            .write(to: URL(fileURLWithPath: tar))
        try survive(filesystem) { store in
            try store.run("import", ["-q", tar, "imported"])
            try store.run("snapshot", ["prepare", "work", "base"])
            try Data(Self.large).write(to: URL(fileURLWithPath: "\(try store.upper())/large"))
            try Data("y".utf8).write(to: URL(fileURLWithPath: "\(try store.upper())/new"))
            try store.run("commit", ["work", "committed"])
            return try [saved(store, "imported"), saved(store, "committed")]
        } _: { (store, digests) throws in
            #expect(try [saved(store, "imported"), saved(store, "committed")] == digests)
        }
    }

    @Test(arguments: filesystems) func `a commit of small files is there`(filesystem: Filesystem) throws {
        try survive(filesystem) { store in
            try store.run("snapshot", ["prepare", "work", "base"])
            try Data("y".utf8).write(to: URL(fileURLWithPath: "\(try store.upper())/new"))
            try store.run("commit", ["work", "committed"])
            return try saved(store, "committed")
        } _: { (store, digest) throws in
            #expect(try saved(store, "committed") == digest)
        }
    }

    @Test(arguments: filesystems) func `a snapshot is there, active or committed`(
        filesystem: Filesystem
    ) throws {
        try survive(filesystem) { store in
            try store.run("snapshot", ["prepare", "work", "base"])
            try Data("y".utf8).write(to: URL(fileURLWithPath: "\(try store.upper())/new"))
            try store.run("snapshot", ["commit", "done", "work"])
            try store.run("snapshot", ["prepare", "next", "done"])
        } _: { (store, _) throws in
            #expect(try store.run("diff", ["base", "done"]) == "A /new\n")
            // Its directories are there as well.
            try store.run("snapshot", ["commit", "after", "next"])
        }
    }

    @Test(arguments: filesystems) func `a name is where it was put, and what was removed stays away`(
        filesystem: Filesystem
    ) throws {
        let path = try archive([[LayerEntry(path: "large", kind: .file(Self.large))]], named: "gone")
        try survive(filesystem) { store in
            try store.run("load", ["-i", path])
            try store.run("tag", ["base", "other:1"])
            try store.run("rmi", ["gone"])
            try store.run("gc", [])
        } _: { (store, _) throws in
            #expect(throws: Failure.self) { try store.run("inspect", ["gone"]) }
            #expect(try saved(store, "other:1") == saved(store, "other:1"))
            try store.run("load", ["-i", path])
            try store.run("inspect", ["gone"])
        }
    }

    @Test(.enabled(if: FilePath("/bin/busybox").exists, "needs busybox-static"), arguments: filesystems)
    func `a container has ended as it did, with what it wrote and synced`(filesystem: Filesystem) throws {
        let busybox = try OwnedFD.open("/bin/busybox", O_RDONLY).contents(limit: 1 << 26)
        let layer: Layer = [LayerEntry(path: "bin/sh", kind: .file(busybox), mode: 0o755)]
        let path = try archive([layer], named: "box")
        try survive(filesystem) { store in
            try store.run("load", ["-i", path])
            try store.run("run", ["--name", "it", "box", "sh", "-c", "echo x > f; sync; exit 0"])
        } _: { (store, _) throws in
            #expect(try store.run("ps", ["-a"]).contains("Exited (0)"))
            #expect(try store.run("diff", ["it"]).contains("A /f"))
        }
    }

    /// At any moment, with several programs at work.
    @Test(arguments: filesystems.prefix(1), Seeds.few(2))
    func `nothing that was reported is lost, whenever the power goes`(filesystem: Filesystem, seed: UInt64)
        throws
    {
        var random = SeededGenerator(seed: seed)
        let archives = try (0..<4).map { number in
            let files: Layer = (0..<20).map {
                .file(Path(Array("f\($0)".utf8)), "\(number) \($0)")
            }
            let large = LayerEntry(path: "large", kind: .file(Self.large + [UInt8(number)]))
            return try archive(
                [Self.base, files, number % 2 == 0 ? [large] : files],
                named: "image\(number)"
            )
        }
        for round in 0..<3 {
            let disk = try LoopDisk(in: workspace, filesystem)
            let store = MicaStore(root: "\(disk.path)/store")
            try store.load([Self.base], as: "base", using: workspace)
            sync()
            let reported = Reported()
            let workers = try (0..<2).map { worker in
                try WorkerThread(stackSize: 1 << 20) {
                    for number in stride(from: worker, to: archives.count, by: 2) {
                        reported.run(store, "load", ["-i", archives[number]], "image\(number)")
                        reported.run(store, "tag", ["image\(number)", "tag\(number)"], "tag\(number)")
                        reported.run(store, "gc", [], nil)
                    }
                }
            }
            usleep(UInt32.random(in: 0..<400_000, using: &random))
            // What was reported before is a promise; of what is reported meanwhile nothing is known.
            let promised = reported.names
            try disk.cutPower()
            for worker in workers { worker.join() }
            try disk.unmount()
            try disk.mount()
            let images = try store.run("images", [])
            for name in promised { #expect(images.contains(name), "seed \(seed), round \(round): \(name)") }
            try store.run("fsck", ["--deep"])
            try store.run("gc", [])
            try store.run("fsck", ["--deep"])
            for name in promised { _ = try saved(store, name) }
            try disk.unmount()
        }
    }
}

/// The names that commands have reported.
private final class Reported: Sendable {
    private let lock = Lock()
    private nonisolated(unsafe) var list: [String] = []

    var names: [String] { lock.locked { list } }

    func run(_ store: MicaStore, _ verb: String, _ arguments: [String], _ name: String?) {
        guard (try? store.run(verb, arguments)) != nil, let name else { return }
        lock.locked { list.append(name) }
    }
}
