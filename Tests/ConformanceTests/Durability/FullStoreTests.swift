import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// The store on a filesystem without one free block: what takes something away works all the same.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A store on a full disk` {
    private let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// Of every size down to a byte, until nothing more can be written, also by root.
    private func fill(_ directory: String) throws {
        // Blocks alone, as far as that goes: nothing of it has to be written.
        // There may not even be room for a file.
        if let blocks = try? OwnedFD.open(FilePath("\(directory)/blocks"), O_WRONLY | O_CREAT, mode: 0o600) {
            var size = UInt64(64 << 20)
            var total: UInt64 = 0
            while size >= 4096 {
                if (try? blocks.allocate(total + size)) != nil { total += size } else { size /= 2 }
            }
        }
        for (number, size) in [4096, 512, 1].enumerated() {
            let path = FilePath("\(directory)/filler\(number)")
            guard let file = try? OwnedFD.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600) else {
                break
            }
            let data = [UInt8](repeating: 7, count: size)
            while file.use({ write($0, data, size) }) == size {}
            _ = file.use { fsync($0) }
        }
        // What deleted files gave back comes with the journal.
        sync()
        var statistics = statvfs()
        try Errno.check(statvfs(directory, &statistics))
        #expect(statistics.f_bavail <= 16)
    }

    private func free(_ directory: String) throws -> UInt64 {
        sync()
        var statistics = statvfs()
        try Errno.check(statvfs(directory, &statistics))
        return UInt64(statistics.f_bfree) * UInt64(statistics.f_bsize)
    }

    static let filesystems = [("ext4", 24), ("xfs", 320), ("btrfs", 256)].filter {
        access("/sbin/mkfs.\($0.0)", X_OK) == 0
    }

    private func store(on disk: LoopDisk) throws -> MicaStore {
        let store = MicaStore(root: "\(disk.path)/store")
        let content = [UInt8](repeating: 65, count: 900_000)
        for name in ["one", "two"] {
            let layer = [LayerEntry(path: "f", kind: .file(content + Array(name.utf8)))]
            try store.load([layer], as: name, using: workspace)
        }
        try store.run("snapshot", ["prepare", "work", "one"])
        return store
    }

    private func snapshot(_ store: MicaStore) throws -> String {
        try store.upper()
    }

    @Test(arguments: filesystems) func `frees a snapshot that has filled it`(
        filesystem: String,
        megabytes: Int
    ) throws {
        let disk = try LoopDisk(in: workspace, megabytes: megabytes, type: filesystem)
        let store = try store(on: disk)
        try fill(try store.upper())
        try store.run("snapshot", ["rm", "work"])
        #expect(try free(disk.path) > 4 << 20)
        // And the reserve is there for the next time.
        #expect(FilePath("\(store.root)/reserve").exists)
        try store.run("fsck", ["--deep"])
    }

    @Test(arguments: filesystems) func `frees an image, and what nothing refers to`(
        filesystem: String,
        megabytes: Int
    ) throws {
        let disk = try LoopDisk(in: workspace, megabytes: megabytes, type: filesystem)
        let store = try store(on: disk)
        // Beside the store: nothing of it is freed.
        try fill(disk.path)
        #expect(throws: Failure.self) { try store.run("load", ["-i", "/dev/null"]) }
        let before = try free(disk.path)
        try store.run("rmi", ["two"])
        #expect(try free(disk.path) > before + 500_000)
        #expect(try store.run("images", ["-q"]).split(separator: "\n").count == 1)
        try fill(disk.path)
        try store.run("snapshot", ["rm", "work"])
        try store.run("rmi", ["one"])
        try store.run("gc", [])
        #expect(try FilePath("\(store.root)/layers").names().isEmpty)
        try store.run("fsck", ["--deep"])
    }

    /// By its files, and by what it wrote to its log.
    @Test(.enabled(if: FilePath("/bin/busybox").exists, "needs busybox-static"), arguments: filesystems)
    func `frees a container that has filled it`(filesystem: String, megabytes: Int) throws {
        let disk = try LoopDisk(in: workspace, megabytes: megabytes, type: filesystem)
        let store = MicaStore(root: "\(disk.path)/store")
        let busybox = try OwnedFD.open("/bin/busybox", O_RDONLY).contents(limit: 1 << 26)
        let layer: Layer =
            [LayerEntry(path: "bin/sh", kind: .file(busybox), mode: 0o755)]
            + ["dd", "yes", "head"].map { .symlink(Path(Array("bin/\($0)".utf8)), to: "sh") }
        try store.load([layer], as: "box", using: workspace)
        let script = "yes | head -c 3000000; dd if=/dev/zero of=/f bs=4096; dd if=/dev/zero of=/g bs=1; true"
        try store.run("run", ["--name", "full", "box", "sh", "-c", script])
        try fill(disk.path)
        let before = try free(disk.path)
        try store.run("rm", ["full"])
        #expect(try free(disk.path) > before + 3_000_000)
        #expect(try store.run("ps", ["-aq"]).isEmpty)
        #expect(try FilePath("\(store.root)/containers").names().isEmpty)
        try store.run("fsck", ["--deep"])
    }

    @Test(arguments: filesystems) func `says what is the matter where something is to be made`(
        filesystem: String,
        megabytes: Int
    ) throws {
        let disk = try LoopDisk(in: workspace, megabytes: megabytes, type: filesystem)
        let store = try store(on: disk)
        try fill(disk.path)
        // The database's log has some room of its own: until that is used up, too.
        var message = ""
        for number in 0..<2000 where message.isEmpty {
            do {
                try store.run("snapshot", ["view", "view\(number)", "one"])
            } catch let failure as Failure {
                message = failure.description
            }
        }
        // Or its file had some, where blocks are given in larger pieces.
        if message.isEmpty {
            let big = [LayerEntry(path: "f", kind: .file([UInt8](repeating: 66, count: 3_000_000)))]
            do { try store.load([big], as: "three", using: workspace) } catch let failure as Failure {
                message = failure.description
            }
            #expect(message.contains("No space left") || message.contains("no room left"), "\(message)")
        } else {
            #expect(message.contains("no room left") && message.contains("mica gc"), "\(message)")
        }
        // What takes away works all the same.
        try store.run("snapshot", ["rm", "work"])
        try store.run("rmi", ["two"])
        try store.run("fsck", ["--deep"])
    }
}
