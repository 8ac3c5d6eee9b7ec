import Digests
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// A large lower file of which a part is written, through a real mount.
@Suite(.enabled(if: geteuid() == 0, "mounts"))
struct `A large file that is written in part` {
    private static let size = 3_000_001
    private static let metacopy = "trusted.overlay.metacopy"
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
        #expect(try bytes("\(mount.path)/file") == model)
        #expect(try blocks(mount) < 100)
        #expect(try FilePath("\(mount.path)/file").status().st_blocks >= Self.size / 512)
        try mount.kill()
        try mount.mount()
        #expect(try bytes("\(mount.path)/file") == model)
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `is whole for everybody once it was settled, and the lower is what it was`(form: LowerForm) throws {
        let before = SHA256.digest(of: try bytes("\(lower)/file"))
        let mount = try mount(form)
        let model = try change(mount)
        try mount.unmount()
        try mount.settle()
        #expect(try Xattr.get(Self.metacopy, at: FilePath("\(mount.upper)/file")) == nil)
        #expect(try bytes("\(mount.upper)/file") == model)
        #expect(SHA256.digest(of: try bytes("\(lower)/file")) == before)
        try mount.mount()
        #expect(try bytes("\(mount.path)/file") == model)
        try mount.unmount()
    }

    @Test func `can't be settled while it is mounted`() throws {
        let mount = try mount(.directory)
        _ = try change(mount)
        #expect(throws: (any Error).self) { try mount.settle() }
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `is filled while nothing is asked, where that is wanted`(form: LowerForm) throws {
        let mount = try mount(form, ["-o", "fill=idle"])
        let model = try change(mount)
        let time = try FilePath("\(mount.path)/file").status().st_mtim
        // However long it takes.
        while try Xattr.get(Self.metacopy, at: FilePath("\(mount.upper)/file")) != nil { usleep(100_000) }
        #expect(try bytes("\(mount.upper)/file") == model)
        let after = try FilePath("\(mount.upper)/file").status().st_mtim
        #expect((after.tv_sec, after.tv_nsec) == (time.tv_sec, time.tv_nsec))
        #expect(try bytes("\(mount.path)/file") == model)
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
        #expect(try file?.fd.contents(limit: 2 * Self.size) == model)
        file = nil
        #expect(try bytes("\(filling.path)/other") == model)
        try filling.unmount()
        try mount.mount()
        #expect(try bytes("\(mount.path)/other") == model)
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
        #expect(try bytes("\(mount.path)/file") == bytes(plain))
        try mount.remount()
        #expect(try bytes("\(mount.path)/file") == bytes(plain))
        try mount.unmount()
    }
}
