import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// micafs is killed at any moment of random changes: the next mount has all that was answered, and what was going on
/// either wholly or not at all.
@Suite(.timeLimit(.minutes(Effort.minutes)), .enabled(if: geteuid() == 0, "mounts"))
struct `After a kill -9, names` {
    private static let rounds = 6
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    @Test(arguments: Case.all) func `are as before or as after what was going on`(test: Case) throws {
        var tree = NameOperations(seed: test.seed ^ 0x7ee)
        let base = tree.tree(120)
        let root = try workspace.directory("lower/d")
        if let difference = try NameRunner(root, NameModel(), remount: {}).run(base) {
            throw Failure("the machine's own filesystem: \(difference)")
        }
        let mount = try LayeredMount(
            Lower("\(workspace.path)/lower", as: test.form, in: workspace),
            in: workspace,
            options: test.options
        )
        var random = NameOperations(seed: test.seed ^ 0xdead)
        var moments = SeededGenerator(seed: test.seed)
        var done = base
        for round in 0..<Self.rounds {
            let operations = random.sequence(600).filter(\.isOneChange)
            let killed = try kill(mount, during: operations, after: done, &moments)
            try mount.mount()
            let what =
                "\(test.testDescription), round \(round), killed in \(killed.last.map { "\($0)" } ?? "-")"
            done += killed.dropLast()
            let (state, problems) = try settle(mount, done, killed.last)
            guard let state else {
                Issue.record("\(what): \(problems.joined(separator: "\nor: "))")
                return
            }
            done = state
            #expect(try FilePath("\(mount.work)/links").names() == [], "\(what)")
            // What a mount has open of its own is all that may be there.
            #expect(
                Set(try FilePath(mount.work).names().map { String(decoding: $0, as: UTF8.self) })
                    .isSubset(of: ["orphans", "links", "work", "whiteout"]),
                "\(what)"
            )
        }
        try mount.unmount()
    }

    /// Does operations until the daemon is killed; returns those that were begun.
    private func kill(
        _ mount: LayeredMount,
        during operations: [NameOperation],
        after done: [NameOperation],
        _ moments: inout SeededGenerator
    ) throws -> [NameOperation] {
        let calm = moments.below(operations.count)
        let pause = UInt32(moments.below(3000))
        let runner = NameRunner("\(mount.path)/d", Self.model(done)) {}
        if let difference = try runner.run(Array(operations.prefix(calm)), isFinal: false) {
            throw Failure("before the kill: \(difference)")
        }
        let daemon = try mount.daemon()
        let killer = try WorkerThread {
            usleep(pause)
            Glibc.kill(daemon, SIGKILL)
        }
        let difference = try runner.run(Array(operations.dropFirst(calm)), isFinal: false)
        killer.join()
        try mount.unmount()
        guard let difference else { return operations }
        return Array(operations.prefix(calm + difference.count))
    }

    /// The sequence of operations that explains what is there now, and if there is none, what speaks against each.
    private func settle(
        _ mount: LayeredMount,
        _ done: [NameOperation],
        _ last: NameOperation?
    ) throws -> (state: [NameOperation]?, problems: [String]) {
        var candidates = [done]
        if let last { candidates.append(done + [last]) }
        if case .create(let name, _)? = last {
            // Three system calls: what is there may be empty yet.
            var status = FileStatus()
            let path = "\(mount.path)/d/\(name.joined(separator: "/"))"
            if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size == 0 {
                unlink(path)
            }
        }
        var problems: [String] = []
        for candidate in candidates {
            let model = Self.model(candidate)
            // Of the directories it was in, the times may be those of the moment.
            for name in last?.names ?? [] {
                (try? model.find(Array(name.dropLast())))?.time = nil
                (try? model.find(name))?.time = nil
            }
            guard let problem = NameRunner("\(mount.path)/d", model, remount: {}).compareAll() else {
                return (candidate + (try settleTimes(mount, model, last)), problems)
            }
            problems.append(problem)
        }
        return (nil, problems)
    }

    /// Gives them known times again; returns how.
    private func settleTimes(
        _ mount: LayeredMount,
        _ model: NameModel,
        _ last: NameOperation?
    ) throws -> [NameOperation] {
        let names = (last?.names ?? []).flatMap { [$0, Array($0.dropLast())] }
        let operations = names.map { NameOperation.setTime($0, 1_000_000_000) }
        let runner = NameRunner("\(mount.path)/d", model, remount: {})
        if let difference = try runner.run(operations, isFinal: false) {
            throw Failure("after the kill: \(difference)")
        }
        return operations
    }

    private static func model(_ operations: [NameOperation]) -> NameModel {
        let model = NameModel()
        for operation in operations {
            // Some of it fails, there as here.
            try? model.apply(operation)
        }
        return model
    }
}

extension NameOperation {
    /// Whether it is one change of the tree, without open descriptors.
    fileprivate var isOneChange: Bool {
        switch self {
        case .create, .makeDirectory, .symlink, .makeFIFO, .link, .unlink, .removeDirectory, .rename: true
        case .chmod, .chown, .setTime, .setXattr, .removeXattr, .list, .stat: true
        default: false
        }
    }

    /// Those that it changes something at.
    fileprivate var names: [Name] {
        switch self {
        case .create(let name, _), .makeDirectory(let name), .symlink(let name, _), .makeFIFO(let name),
            .unlink(let name), .removeDirectory(let name), .chmod(let name, _), .chown(let name, _, _),
            .setTime(let name, _), .setXattr(let name, _), .removeXattr(let name):
            [name]
        case .link(let old, let new), .rename(let old, let new, _): [old, new]
        default: []
        }
    }
}
