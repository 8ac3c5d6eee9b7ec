import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// Random reads and writes of all kinds, on files of the lower and on new ones, against bytes in memory.
@Suite(.timeLimit(.minutes(Effort.minutes)), .enabled(if: geteuid() == 0, "mounts"))
struct `The data of files` {
    /// Packed in the image, objects of their own, with holes; nil is not there at first.
    static let files: [(name: String, bytes: [UInt8]?)] = [
        ("empty", []), ("small", ModelFile.pattern(1, at: 0, count: 100)),
        ("packed", ModelFile.pattern(2, at: 0, count: 5000)),
        ("edge", ModelFile.pattern(3, at: 0, count: 32768)),
        ("object", ModelFile.pattern(4, at: 0, count: 100_000)), ("holes", holes),
        ("large", ModelFile.pattern(6, at: 0, count: 700_003)),
        ("nothing", [UInt8](repeating: 0, count: 200_000)), ("new", nil), ("other", nil),
    ]

    private static var holes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 300_000)
        for start in [0, 70_000, 200_001] {
            bytes.replaceSubrange(start..<start + 9000, with: ModelFile.pattern(5, at: start, count: 9000))
        }
        return bytes
    }

    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// The files, in as many directories as there are processes to come.
    private func lower(_ form: LowerForm, directories: [String], in workspace: Workspace? = nil) throws
        -> Lower
    {
        let workspace = workspace ?? self.workspace
        let root = try workspace.directory("lower")
        for directory in directories {
            for case (let name, let bytes?) in `The data of files`.files {
                let path = FilePath(try workspace.directory("lower/\(directory)")).appending(name)
                let file = try OwnedFD.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
                try file.truncate(to: UInt64(bytes.count))
                // Zeros stay holes.
                for start in stride(from: 0, to: bytes.count, by: 4096) {
                    let piece = bytes[start..<min(start + 4096, bytes.count)]
                    guard piece.contains(where: { $0 != 0 }) else { continue }
                    try Array(piece).withUnsafeBytes { try file.writeAll($0, at: UInt64(start)) }
                }
            }
        }
        return try Lower(root, as: form, in: workspace)
    }

    private func run(_ operations: [DataOperation], _ test: Case) throws -> Difference? {
        let disk = try test.filesystem?.make(in: self.workspace)
        defer { if let disk { umount2(disk, CInt(MNT_DETACH)) } }
        // All of it is on the filesystem, or the upper and its mount point.
        let workspace = try disk.map { try Workspace(in: $0) } ?? self.workspace
        let lower = try lower(
            test.form,
            directories: ["d"],
            in: test.form == .image ? workspace : self.workspace
        )
        let mount = try LayeredMount(lower, in: workspace, options: test.options)
        // Some are changed before anything is written to them.
        for name in ["object", "holes"] { try Errno.check(chmod("\(mount.path)/d/\(name)", 0o600)) }
        let runner = DataRunner("\(mount.path)/d", files: `The data of files`.files, remount: mount.remount)
        runner.zeroesRanges = test.filesystem?.zeroesRanges ?? true
        let difference = try runner.run(operations)
        runner.closeAll()
        try mount.unmount()
        return difference
    }

    private func expectNoDifference(_ operations: [DataOperation], _ test: Case) throws {
        guard let difference = try run(operations, test) else { return }
        let (shortest, last) = try shrink(operations, after: difference) { try run($0, test) }
        let list = shortest.map { "  \($0)" }.joined(separator: "\n")
        Issue.record("\(test.testDescription): \(difference)\nshorter: \(last)\n\(list)")
    }

    @Test(arguments: Case.unkilled) func `is what was written`(test: Case) throws {
        var random = DataOperations(seed: test.seed, files: `The data of files`.files.count)
        try expectNoDifference(random.sequence(Effort.operations), test)
    }

    @Test(arguments: Case.unkilled) func `is what was written, also after remounts`(test: Case) throws {
        var random = DataOperations(seed: test.seed ^ 0x5eed, files: `The data of files`.files.count)
        try expectNoDifference(random.sequence(Effort.operations, remountEvery: Effort.remountEvery), test)
    }

    @Test(arguments: Case.everywhere) func `is what was written, whatever filesystem the upper is on`(
        test: Case
    ) throws {
        var random = DataOperations(seed: test.seed ^ 0xd15c, files: `The data of files`.files.count)
        var operations = random.sequence(Effort.operations, remountEvery: Effort.remountEvery)
        if test.filesystem?.takesWhiteouts == false { operations.removeAll(where: \.isUnlink) }
        try expectNoDifference(operations, test)
    }

    @Test(arguments: Case.unkilled) func `is what each of two processes wrote to its own files`(test: Case)
        throws
    {
        let lower = try lower(test.form, directories: ["0", "1"])
        let mount = try LayeredMount(lower, in: workspace, options: test.options)
        try Workers.run(.data, at: mount.path, seed: test.seed)
        try mount.unmount()
    }

    static func run(_ task: Workers.Task, _ seed: UInt64) throws -> Difference? {
        var random = DataOperations(seed: seed, files: files.count)
        let runner = DataRunner("\(task.path)/\(task.number)", files: files) {}
        return try runner.run(random.sequence(Effort.operations))
    }

    @Test(arguments: Case.unkilled) func `is what two processes wrote to ranges of one file`(test: Case)
        throws
    {
        let lower = try lower(test.form, directories: ["d"])
        let mount = try LayeredMount(lower, in: workspace, options: test.options)
        try Workers.run(.stripes, at: mount.path, seed: test.seed)
        try mount.unmount()
    }

    static func runStripes(_ task: Workers.Task, _ seed: UInt64) throws -> Difference? {
        let stripes = try Stripes("\(task.path)/d/holes", holes, mine: task.number, of: 2)
        return try stripes.run(Effort.operations, seed: seed)
    }
}
