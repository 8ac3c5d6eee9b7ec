import Foundation
import Glibc
import MountFixtures
import Testing

/// podman and buildah on micafs. Tests/engines/scenario does what people do with them; kernel overlayfs gives the
/// expectation, section by section.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(
        if: geteuid() == 0
            && ["podman", "buildah", "runc", "newuidmap"].allSatisfy { name in
                ["/usr/bin", "/usr/sbin"].contains { access("\($0)/\(name)", X_OK) == 0 }
            },
        "mounts, and needs podman, buildah, runc and newuidmap"
    )
)
struct `podman and buildah` {
    /// The transcript's sections by name, as that of a storage of its own.
    private static func scenario(_ options: [String], on program: String?) throws -> [String: String] {
        let workspace = try Workspace()
        defer { withExtendedLifetime(workspace) {} }
        // Processes in a user namespace have to get there.
        #expect(chmod(workspace.path, 0o755) == 0)
        let script = Tool.package.appendingPathComponent("Tests/engines/scenario")
        let directory = "\(workspace.path)/storage"
        let transcript = try Tool.run(script, options + [directory] + (program.map { [$0] } ?? []))
        var sections: [String: String] = [:]
        for section in transcript.components(separatedBy: "== ").dropFirst() {
            let lines = section.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
            sections[String(lines[0])] = lines.count > 1 ? String(lines[1]) : ""
        }
        return sections
    }

    /// Of root on kernel overlayfs. Before the others, which are at the same time: root's podman has one set of locks.
    private static let expected = Result { try scenario([], on: nil) }

    @Test(arguments: [[], ["--rootless"]])
    func `give root and an ordinary user the same results as root on kernel overlayfs`(options: [String])
        throws
    {
        var expected = try Self.expected.get()
        expected["mounts"] = nil
        let micafs = Tool.binaries.appendingPathComponent("micafs").path
        // Ids of the host are root's to choose.
        if !options.isEmpty { expected["userns"] = nil }
        var found = try Self.scenario(options, on: micafs)
        #expect(found.removeValue(forKey: "mounts")?.contains(" fuse.mica ") == true)
        #expect(found.keys.sorted() == expected.keys.sorted())
        for (name, text) in expected {
            #expect(found[name] == text, "\(options) section \(name)")
        }
    }
}
