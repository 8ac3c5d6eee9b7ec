import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// Tests/suites/semantics, each case on a mount and beside it on the machine's own filesystem.
@Suite(.timeLimit(.minutes(20)), .enabled(if: geteuid() == 0, "mounts"))
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
}
