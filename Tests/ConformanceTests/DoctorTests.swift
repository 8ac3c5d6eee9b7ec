import Foundation
import MountFixtures
import Testing

@Suite(.timeLimit(.minutes(40))) struct `mica doctor` {
    private struct Finding: Decodable {
        let what: String
        let state: String
        let detail: String
        let remedy: String?
    }

    private static let canMount = access("/dev/fuse", R_OK | W_OK) == 0

    @Test(.enabled(if: canMount, "needs /dev/fuse")) func `has a remedy for whatever is missing`() throws {
        let text = try Tool.run(Tool.binaries.appendingPathComponent("mica"), ["doctor", "--format", "json"])
        let findings = try JSONDecoder().decode([Finding].self, from: Data(text.utf8))
        #expect(
            findings.map(\.what) == [
                "/dev/fuse", "io_uring", "passthrough", "user namespaces", "fusermount3",
                "cgroup controllers",
                "limits", "store",
            ]
        )
        for finding in findings {
            #expect(["ok", "off", "missing"].contains(finding.state))
            #expect(!finding.detail.isEmpty)
            #expect((finding.remedy == nil) == (finding.state == "ok"), "\(finding.what)")
        }
    }

    /// What doctor says of /dev/fuse and how it exits, with `script` run before in a mount namespace of its own.
    private func device(after script: String, user: Int = 0) throws -> (finding: Finding, status: String) {
        let workspace = try Workspace()
        chmod(workspace.path, 0o755)
        let text = try Tool.run(
            URL(fileURLWithPath: "/usr/bin/unshare"),
            [
                "--mount", "--propagation", "private", "bash", "-c",
                """
                set -eu; cd \(workspace.path); mica=\(Tool.binaries.path)/mica
                \(script)
                export PATH=/nonexistent HOME=/nonexistent
                /usr/bin/setpriv --reuid \(user) --regid \(user) --clear-groups "$mica" doctor --format json || echo "exit $?"
                """,
            ]
        )
        let parts = text.split(separator: "exit ", maxSplits: 1)
        let findings = try JSONDecoder().decode([Finding].self, from: Data(parts[0].utf8))
        return (
            try #require(findings.first { $0.what == "/dev/fuse" }),
            parts.count > 1 ? parts[1].trimmingCharacters(in: .newlines) : "0"
        )
    }

    @Test(.enabled(if: canMount && geteuid() == 0, "mounts over /dev/fuse"))
    func `says what is true for the user who asks`() throws {
        let file = try device(after: "touch fuse; mount --bind fuse /dev/fuse")
        #expect(file.finding.state == "missing")
        #expect(file.finding.detail.contains("not FUSE's device"))
        #expect(file.status == "1")

        let script = "mknod -m 0600 fuse c 10 229; mount --bind fuse /dev/fuse"
        let owner = try device(after: script)
        #expect(owner.finding.state == "ok")
        #expect(owner.status == "0")
        let other = try device(after: script, user: 65534)
        #expect(other.finding.state == "off")
        #expect(other.finding.detail.contains("user 65534 may not open it (mode 0600, owner 0)"))
        #expect(other.finding.remedy?.hasPrefix("as root: ") == true)
        #expect(other.status == "1")

        // Without fusermount3 an ordinary user can't mount, even where the device may be opened.
        let open = try device(after: "mknod -m 0666 fuse c 10 229; mount --bind fuse /dev/fuse", user: 65534)
        #expect(open.finding.state == "ok")
        #expect(open.status == "1")
    }
}
