import Foundation
import Glibc
import MountFixtures
import Testing

/// podman and buildah on micafs. Tests/clients/scenario does what people do with them; kernel overlayfs gives the
/// expectation, section by section.
@Suite(
    .enabled(
        if: geteuid() == 0
            && ["podman", "buildah", "runc", "newuidmap"].allSatisfy { name in
                ["/usr/bin", "/usr/sbin"].contains { access("\($0)/\(name)", X_OK) == 0 }
            },
        "mounts, and needs podman, buildah, runc and newuidmap"
    )
)
struct `podman and buildah` {
    let workspace: Workspace

    init() throws {
        // Processes in a user namespace have to get there.
        workspace = try Workspace()
        #expect(chmod(workspace.path, 0o755) == 0)
    }

    /// The transcript's sections by name.
    private func scenario(_ options: [String], named name: String, on program: String?) throws
        -> [String: String]
    {
        let script = Tool.package.appendingPathComponent("Tests/clients/scenario")
        let directory = "\(workspace.path)/\(name)"
        let transcript = try Tool.run(script, options + [directory] + (program.map { [$0] } ?? []))
        var sections: [String: String] = [:]
        for section in transcript.components(separatedBy: "== ").dropFirst() {
            let lines = section.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
            sections[String(lines[0])] = lines.count > 1 ? String(lines[1]) : ""
        }
        return sections
    }

    @Test func `give root and an ordinary user the same results as root on kernel overlayfs`() throws {
        var expected = try scenario([], named: "kernel", on: nil)
        expected["mounts"] = nil
        let micafs = Tool.binaries.appendingPathComponent("micafs").path
        for options in [[], ["--rootless"]] {
            // Ids of the host are root's to choose.
            if !options.isEmpty { expected["userns"] = nil }
            var found = try scenario(options, named: "mica\(options.count)", on: micafs)
            #expect(found.removeValue(forKey: "mounts")?.contains(" fuse.mica ") == true)
            #expect(found.keys.sorted() == expected.keys.sorted())
            for (name, text) in expected {
                #expect(found[name] == text, "\(options) section \(name)")
            }
        }
    }
}
