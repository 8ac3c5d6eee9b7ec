import Foundation
import MountFixtures
import Testing

@Suite(.timeLimit(.minutes(20))) struct `mica doctor` {
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
}
