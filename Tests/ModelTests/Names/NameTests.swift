import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// Random changes of names and attributes on a random lower tree, against a tree in memory.
@Suite(.timeLimit(.minutes(Effort.minutes)), .enabled(if: geteuid() == 0, "mounts"))
struct `The names of files` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// A tree for each directory, made by the same operations on a real directory and in a model.
    private func lower(_ test: Case, directories: [String]) throws -> Lower {
        let root = try workspace.directory("lower")
        for directory in directories {
            let runner = try NameRunner(workspace.directory("lower/\(directory)"), NameModel()) {}
            if let difference = try runner.run(Self.tree(test.seed)) {
                throw Failure("the machine's own filesystem: \(difference)")
            }
        }
        return try Lower(root, as: test.form, in: workspace)
    }

    private static func tree(_ seed: UInt64) -> [NameOperation] {
        var random = NameOperations(seed: seed ^ 0x7ee)
        return random.tree(120)
    }

    /// What the lower directory has, as it is to be seen through a mount.
    private static func model(_ seed: UInt64) throws -> NameModel {
        let model = NameModel()
        for operation in tree(seed) {
            // Some of it fails, there as here.
            try? model.apply(operation)
        }
        return model
    }

    private func run(_ operations: [NameOperation], on lower: Lower, _ test: Case) throws -> Difference? {
        let mount = try LayeredMount(lower, in: workspace, options: test.options)
        let runner = NameRunner("\(mount.path)/d", try Self.model(test.seed), remount: mount.remount)
        let difference = try runner.run(operations)
        runner.closeAll()
        try mount.unmount()
        return difference
    }

    private func expectNoDifference(_ operations: [NameOperation], _ test: Case) throws {
        let lower = try lower(test, directories: ["d"])
        guard let difference = try run(operations, on: lower, test) else { return }
        let (shortest, last) = try shrink(operations, after: difference) {
            try run($0, on: lower, test)
        }
        let list = shortest.map { "  \($0)" }.joined(separator: "\n")
        let tree = try Self.model(test.seed).root.description
        Issue.record("\(test.testDescription): \(difference)\nshorter: \(last)\n\(list)\non\n\(tree)")
    }

    @Test(arguments: Case.unkilled) func `are what was made of them`(test: Case) throws {
        var random = NameOperations(seed: test.seed)
        try expectNoDifference(random.sequence(Effort.operations), test)
    }

    @Test(arguments: Case.unkilled) func `are what was made of them, also after remounts`(test: Case) throws {
        var random = NameOperations(seed: test.seed ^ 0x5eed)
        try expectNoDifference(random.sequence(Effort.operations, remountEvery: Effort.remountEvery), test)
    }

    /// A well-known FUSE filesystem leaves directories that can't be removed.
    @Test(arguments: Case.unkilled) func `can all be removed, whatever was done before`(test: Case) throws {
        let lower = try lower(test, directories: ["d"])
        let mount = try LayeredMount(lower, in: workspace, options: test.options)
        var random = NameOperations(seed: test.seed ^ 0xdead)
        for round in 0..<3 {
            let model = round == 0 ? try Self.model(test.seed) : NameModel()
            let runner = NameRunner("\(mount.path)/d", model, remount: mount.remount)
            let difference = try runner.run(random.sequence(300))
            #expect(difference == nil, "\(test.testDescription), round \(round)")
            runner.closeAll()
            if round == 1 { try mount.remount() }
            try FilePath("\(mount.path)/d").removeTree()
            #expect(!FilePath("\(mount.path)/d").exists)
            try mount.remount()
            #expect(!FilePath("\(mount.path)/d").exists)
            try Errno.check(mkdir("\(mount.path)/d", 0o755))
        }
        try mount.unmount()
    }

    @Test(arguments: Case.unkilled) func `are what each of two processes made of its own`(test: Case) throws {
        let lower = try lower(test, directories: ["0", "1"])
        let mount = try LayeredMount(lower, in: workspace, options: test.options)
        try Workers.run(.names, at: mount.path, seed: test.seed)
        try mount.remount()
        for number in 0..<2 {
            // The same on the machine's own filesystem, where the model knows what came of it.
            let model = NameModel()
            let plain = NameRunner(try workspace.directory("plain/\(number)"), model) {}
            var random = NameOperations(seed: test.seed << 8 | UInt64(number))
            let difference = try plain.run(Self.tree(test.seed) + random.sequence(Effort.operations))
            #expect(difference == nil, "\(test.testDescription), without a mount")
            plain.closeAll()
            model.forgetInodes()
            let again = NameRunner("\(mount.path)/\(number)", model) {}
            #expect(again.compareAll() == nil, "\(test.testDescription), after a remount")
        }
        try mount.unmount()
    }

    static func run(_ task: Workers.Task, _ seed: UInt64) throws -> Difference? {
        var random = NameOperations(seed: seed)
        let runner = NameRunner("\(task.path)/\(task.number)", try model(task.seed)) {}
        defer { runner.closeAll() }
        return try runner.run(random.sequence(Effort.operations))
    }
}
