import CLinux
import Digests
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// A large lower file of which a part is written, through a real mount.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A large file that is written in part` {
    private static let size = 3_000_001
    private static let metacopy: XattrName = "trusted.overlay.metacopy"
    let workspace: Workspace
    let lower: String

    init() throws {
        workspace = try Workspace()
        lower = try workspace.directory("lower")
        try Self.old.withUnsafeBytes {
            try OwnedFD.open(FilePath("\(lower)/file"), O_WRONLY | O_CREAT, mode: 0o644).writeAll($0)
        }
    }

    private static var old: [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: $0 % 253) | 2 } }

    private func mount(_ form: LowerForm, _ options: [String] = []) throws -> LayeredMount {
        let metacopy = form == .directory ? ["-o", "metacopy=on"] : []
        return try LayeredMount(
            Lower(lower, as: form, in: workspace),
            in: workspace,
            options: metacopy + options
        )
    }

    private func bytes(_ path: String) throws -> [UInt8] {
        try OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 2 * Self.size)
    }

    /// Of 512 bytes.
    private func blocks(_ mount: LayeredMount) throws -> Int {
        Int(try FilePath("\(mount.upper)/file").status().st_blocks)
    }

    /// Writes at some places, and says what the file is then.
    private func change(_ mount: LayeredMount) throws -> [UInt8] {
        var model = Self.old
        let file = try OwnedFD.open(FilePath("\(mount.path)/file"), O_RDWR)
        for offset in [5, 100_000, 1_048_570, 2_999_000] {
            let piece = [UInt8](repeating: 1, count: 900)
            try piece.withUnsafeBytes { try file.writeAll($0, at: UInt64(offset)) }
            model.replaceSubrange(offset..<offset + 900, with: piece)
        }
        return model
    }

    @Test(arguments: LowerForm.served)
    func `takes the room of what was written, also after its daemon was killed`(form: LowerForm) throws {
        let mount = try mount(form)
        let model = try change(mount)
        #expect(try firstDifference(bytes("\(mount.path)/file"), from: model) == nil)
        #expect(try blocks(mount) < 100)
        #expect(try FilePath("\(mount.path)/file").status().st_blocks >= Self.size / 512)
        try mount.kill()
        try mount.mount()
        #expect(try firstDifference(bytes("\(mount.path)/file"), from: model) == nil)
        try mount.unmount()
    }

    /// Of 512 bytes: what a file of the upper takes, at most, and a little for the map.
    private func expectRoom(_ path: String, of bytes: Int) throws {
        let blocks = Int(try FilePath(path).status().st_blocks)
        #expect(blocks <= bytes / 512 + 64, "\(path) has \(blocks) blocks")
    }

    @Test(arguments: LowerForm.served)
    func `has a hole where one was punched, as far as that can be one`(form: LowerForm) throws {
        // All data; and data in one place only.
        let hollow = FilePath("\(lower)/hollow")
        do {
            let file = try OwnedFD.open(hollow, O_WRONLY | O_CREAT, mode: 0o644)
            try file.truncate(to: UInt64(Self.size))
            try [1].withUnsafeBytes { try file.writeAll($0, at: 1_500_000) }
        }
        let mount = try mount(form)
        let punch: CInt = 3
        var models: [String: [UInt8]] = [
            "file": Self.old, "hollow": [UInt8](repeating: 0, count: Self.size),
        ]
        models["hollow"]?[1_500_000] = 1
        for (name, range) in [("file", 4096..<2_900_000), ("hollow", 10_000..<2_900_001)] {
            let file = try OwnedFD.open(FilePath("\(mount.path)/\(name)"), O_RDWR)
            try [UInt8](repeating: 9, count: 5000).withUnsafeBytes { try file.writeAll($0, at: 1_000_000) }
            models[name]?.replaceSubrange(1_000_000..<1_005_000, with: repeatElement(9, count: 5000))
            let result = file.use { clinux_fallocate($0, punch, Int64(range.lowerBound), Int64(range.count)) }
            #expect(result == 0)
            models[name]?.replaceSubrange(range, with: repeatElement(0, count: range.count))
            let hole = file.use { lseek($0, off_t(range.lowerBound), SEEK_HOLE) }
            #expect(hole < range.lowerBound + 8192)
            try expectRoom("\(mount.upper)/\(name)", of: name == "file" ? Self.size - range.count : 8192)
        }
        for _ in 0..<2 {
            for (name, model) in models {
                #expect(try firstDifference(bytes("\(mount.path)/\(name)"), from: model) == nil, "\(name)")
            }
            try mount.remount()
        }
        // A small one, with nearly all of the lower left outside, is zeros: that is less than to bring the rest.
        let other = try LayeredMount(of: mount, uppers: workspace.directory("other"))
        do {
            let file = try OwnedFD.open(FilePath("\(other.path)/file"), O_RDWR)
            #expect(file.use { clinux_fallocate($0, punch, 100_000, 100_000) } == 0)
        }
        try expectRoom("\(other.upper)/file", of: 110_000)
        var model = Self.old
        model.replaceSubrange(100_000..<200_000, with: repeatElement(0, count: 100_000))
        #expect(try firstDifference(bytes("\(other.path)/file"), from: model) == nil)
        try other.unmount()
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `is whole for everybody once it was materialized, and the lower is what it was`(form: LowerForm)
        throws
    {
        let before = SHA256.digest(of: try bytes("\(lower)/file"))
        let mount = try mount(form)
        let model = try change(mount)
        try mount.unmount()
        try mount.materialize()
        #expect(try Xattr.get(Self.metacopy, at: FilePath("\(mount.upper)/file")) == nil)
        #expect(try firstDifference(bytes("\(mount.upper)/file"), from: model) == nil)
        #expect(SHA256.digest(of: try bytes("\(lower)/file")) == before)
        try mount.mount()
        #expect(try firstDifference(bytes("\(mount.path)/file"), from: model) == nil)
        try mount.unmount()
    }

    /// The number of its lower file leads there, as long as the lower is the same. Where it is not, as after its layers
    /// were copied, and for a commit, only what the file says of its place does.
    @Test(arguments: LowerForm.served, [false, true])
    func `is found at its new place, also by who does not know its number`(form: LowerForm, isLinked: Bool)
        throws
    {
        try FilePath("\(lower)/d").makeDirectory()
        let mount = try mount(form)
        let model = try change(mount)
        try FilePath("\(mount.path)/new").makeDirectory()
        #expect(rename("\(mount.path)/d", "\(mount.path)/new/d") == 0)
        let moved = "new/d/moved"
        if isLinked {
            #expect(link("\(mount.path)/file", "\(mount.path)/\(moved)") == 0)
            #expect(unlink("\(mount.path)/file") == 0)
        } else {
            #expect(rename("\(mount.path)/file", "\(mount.path)/\(moved)") == 0)
        }
        #expect(try firstDifference(bytes("\(mount.path)/\(moved)"), from: model) == nil)
        try mount.unmount()
        let file = "\(mount.upper)/\(moved)"
        #expect(try Xattr.get(Self.metacopy, at: FilePath(file)) != nil)
        try Errno.check(clinux_remove_attribute(AT_FDCWD, file, "trusted.overlay.mica.inode"))
        try mount.mount()
        #expect(try firstDifference(bytes("\(mount.path)/\(moved)"), from: model) == nil)
        try mount.unmount()
        try mount.materialize()
        #expect(try firstDifference(bytes(file), from: model) == nil)
    }

    @Test func `that was exchanged with another is found at its new place, and the other, too`() throws {
        let other = (0..<Self.size).map { UInt8(truncatingIfNeeded: $0 % 251) | 4 }
        try other.withUnsafeBytes {
            try OwnedFD.open(FilePath("\(lower)/other"), O_WRONLY | O_CREAT, mode: 0o644).writeAll($0)
        }
        let mount = try mount(.image)
        var models = [try change(mount), other]
        try [UInt8(7)].withUnsafeBytes {
            try OwnedFD.open(FilePath("\(mount.path)/other"), O_RDWR).writeAll($0, at: 200_000)
        }
        models[1][200_000] = 7
        let names = ["file", "other"].map { "\(mount.path)/\($0)" }
        let exchange: UInt32 = 2
        #expect(clinux_renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], exchange) == 0)
        try mount.unmount()
        for name in ["file", "other"] {
            let file = "\(mount.upper)/\(name)"
            try Errno.check(clinux_remove_attribute(AT_FDCWD, file, "trusted.overlay.mica.inode"))
        }
        try mount.mount()
        for (name, model) in zip(names, models.reversed()) {
            #expect(try firstDifference(bytes(name), from: model) == nil, "\(name)")
        }
        try mount.unmount()
    }

    @Test func `can't be materialized while it is mounted`() throws {
        let mount = try mount(.directory)
        _ = try change(mount)
        #expect(throws: (any Error).self) { try mount.materialize() }
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `is filled while nothing is asked, where that is wanted`(form: LowerForm) throws {
        let mount = try mount(form, ["-o", "fill=idle"])
        let model = try change(mount)
        let time = try FilePath("\(mount.path)/file").status().st_mtim
        // However long it takes.
        while try Xattr.get(Self.metacopy, at: FilePath("\(mount.upper)/file")) != nil { usleep(100_000) }
        #expect(try firstDifference(bytes("\(mount.upper)/file"), from: model) == nil)
        let after = try FilePath("\(mount.upper)/file").status().st_mtim
        #expect((after.tv_sec, after.tv_nsec) == (time.tv_sec, time.tv_nsec))
        #expect(try firstDifference(bytes("\(mount.path)/file"), from: model) == nil)
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `keeps its data when it loses a name before it is filled`(form: LowerForm) throws {
        let mount = try mount(form)
        let model = try change(mount)
        #expect(link("\(mount.path)/file", "\(mount.path)/other") == 0)
        try mount.unmount()
        // Another mount, to which the second name is new.
        let filling = try LayeredMount(of: mount, options: ["-o", "fill=idle"])
        var file: OpenFile? = OpenFile(try OwnedFD.open(FilePath("\(filling.path)/file"), O_RDWR))
        try file?.fd.use { raw throws(Errno) in
            _ = try Errno.check(pwrite(raw, [model[0]], 1, 0))
            try Errno.check(unlink("\(filling.path)/file"))
            // For as long as it takes to begin, and to give it up.
            usleep(2_500_000)
            posix_fadvise(raw, 0, 0, POSIX_FADV_DONTNEED)
        }
        #expect(try firstDifference(file?.fd.contents(limit: 2 * Self.size) ?? [], from: model) == nil)
        file = nil
        #expect(try firstDifference(bytes("\(filling.path)/other"), from: model) == nil)
        try filling.unmount()
        try mount.mount()
        #expect(try firstDifference(bytes("\(mount.path)/other"), from: model) == nil)
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `is what eight threads wrote, each its own part, as a plain file is`(form: LowerForm) throws {
        let mount = try mount(form)
        let plain = "\(workspace.path)/plain"
        try Self.old.withUnsafeBytes {
            try OwnedFD.open(FilePath(plain), O_WRONLY | O_CREAT, mode: 0o644).writeAll($0)
        }
        for path in ["\(mount.path)/file", plain] {
            let threads = try (0..<8).map { number in
                try WorkerThread {
                    var random = SeededGenerator(seed: UInt64(number))
                    guard let file = try? OwnedFD.open(FilePath(path), O_RDWR) else { return }
                    // Parts of 1,000 bytes in turns: several writers in each block.
                    for _ in 0..<300 {
                        let part = random.below(Self.size / 8000) * 8 + number
                        let start = part * 1000 + random.below(500)
                        let piece = [UInt8](repeating: UInt8(random.below(256)), count: 1 + random.below(500))
                        _ = file.use { pwrite($0, piece, piece.count, start) }
                    }
                }
            }
            for thread in threads { thread.join() }
        }
        #expect(try firstDifference(bytes("\(mount.path)/file"), from: bytes(plain)) == nil)
        try mount.remount()
        #expect(try firstDifference(bytes("\(mount.path)/file"), from: bytes(plain)) == nil)
        try mount.unmount()
    }
}
