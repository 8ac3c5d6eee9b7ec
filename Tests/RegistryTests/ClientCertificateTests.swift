import ContainerFixtures
import Foundation
import Glibc
import ImageFixtures
import Linux
import SystemPackage
import Testing

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: PullFixture.program != nil, "no built mica"),
    .enabled(if: TLSServers.isThere, "openssl and python3 are not installed")
)
struct `A registry with TLS` {
    private var mica: PullFixture
    private let servers: TLSServers

    init() throws {
        mica = try PullFixture()
        servers = try TLSServers(try RightRegistry([ArchiveFixture.layer(["a": "b"])]))
    }

    @Test func `sees our certificate, and no server that it redirects to does`() throws {
        var mica = mica
        mica.environment["MICA_CERTS_D"] = servers.certificates.string
        let result = try mica("pull", "\(servers.registry)/\(RightRegistry.path):v1")
        #expect(result.status == 0, "\(result.error)")
        #expect(servers.notes.contains("registry shown"))
        #expect(servers.notes.contains("storage none"))
        #expect(!servers.notes.contains { $0.hasPrefix("storage shown") })
    }

    @Test func `is believed by nobody who was not told of its certificate`() throws {
        let refused = try mica("pull", "\(servers.registry)/\(RightRegistry.path):v1")
        #expect(refused.status == 1)
        #expect(refused.error.contains("certificate"), "\(refused.error)")
        #expect(servers.notes.isEmpty)
        let unverified = try mica(
            "pull",
            "--tls-verify=false",
            "\(servers.registry)/\(RightRegistry.path):v1"
        )
        #expect(unverified.status == 0, "\(unverified.error)")
    }
}
