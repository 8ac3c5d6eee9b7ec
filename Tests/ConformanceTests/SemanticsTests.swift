import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// Tests/suites/semantics, each case on a mount and beside it on the machine's own filesystem.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A mount behaves like a local filesystem` {
    private static let script = Tool.package.appendingPathComponent("Tests/suites/semantics")

    private static func run(_ arguments: [String]) throws -> String {
        try Tool.run(script, arguments)
    }

    static let cases: [String] = {
        // A script that lists nothing must not pass.
        guard let list = try? run(["cases"]) else { return ["(semantics does not run)"] }
        return list.split(separator: "\n").map(String.init)
    }()

    @Test(arguments: cases, LowerForm.served) func `in this case`(name: String, form: LowerForm) throws {
        let workspace = try Workspace()
        // Cases switch to other users, who must get there.
        try Errno.check(chmod(workspace.path, 0o755))
        let tree = try SmallTree(form, in: workspace)
        let plain = try workspace.directory("plain")
        // A directory of the lower, and one that is only in the upper.
        let expected = try Self.run(["case", name, plain])
        #expect(try Self.run(["case", name, tree.path("full")]) == expected)
        #expect(mkdir(tree.path("made"), 0o755) == 0)
        #expect(try Self.run(["case", name, tree.path("made")]) == expected)
    }

    /// What the filesystem below has a part in: its own positions in directories, and how it finds a file again.
    private static let below = [
        "positions in a large directory", "directories while names return", "directories while removed",
        "file handles", "file handles that the kernel forgot", "mappings and writes agree", "times move",
    ]

    @Test(arguments: Filesystem.kinds, LowerForm.served)
    func `wherever its files are`(filesystem: Filesystem, form: LowerForm) throws {
        let outer = try Workspace()
        try Errno.check(chmod(outer.path, 0o755))
        let plain = try outer.directory("plain")
        let place = try filesystem.make(in: outer)
        try Errno.check(chmod(place, 0o755))
        let workspace = try Workspace(in: place)
        try Errno.check(chmod(workspace.path, 0o755))
        let tree = try SmallTree(form, in: workspace)
        #expect(mkdir(tree.path("made"), 0o755) == 0)
        for name in Self.below {
            let expected = try Self.run(["case", name, plain])
            for directory in ["full", "made"] {
                let found = try Self.run(["case", name, tree.path(directory)])
                #expect(found == expected, "\(name) in \(directory)")
            }
        }
        try tree.mount.unmount()
    }
}
