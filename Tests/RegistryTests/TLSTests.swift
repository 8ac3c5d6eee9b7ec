import Foundation
import ImageFixtures
import Linux
import SystemPackage
import Testing

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: PullFixture.program != nil, "no built mica"),
    .enabled(if: TLSServer.isThere, "openssl is not installed")
)
struct `A pull over TLS` {
    private let mica: PullFixture
    private let right: RightRegistry

    init() throws {
        mica = try PullFixture()
        right = try RightRegistry([ArchiveFixture.layer(["small": "small"])])
    }

    private func answer(_ status: String, _ headers: [String]) -> [UInt8] {
        TLSServer.answer(status, headers)
    }

    private func answers() -> [String: [UInt8]] { TLSServer.answers(right) }

    private func pull(_ server: TLSServer, believing: Bool = true, _ options: String...) throws
        -> (status: Int32, output: String, error: String)
    {
        var mica = mica
        mica.environment["MICA_CERTS_D"] =
            believing ? try server.install(in: mica.directory).string : "/nowhere"
        let words = ["pull"] + options + ["\(server.address)/\(RightRegistry.path):v1"]
        return try withExtendedLifetime(server) { try mica.run(words) }
    }

    @Test func `is from whom the registry's certificates say, or from nobody`() throws {
        let server = try TLSServer(answers())
        let refused = try pull(server, believing: false)
        #expect(refused.status == 1)
        #expect(refused.error.contains("certificate"), "\(refused.error)")
        #expect(try mica.images() == "")
        let pulled = try pull(server)
        #expect(pulled.status == 0, "\(pulled.error)")
        #expect(try mica.images() != "")
    }

    /// Who is in the way there could send any image for a tag.
    @Test(arguments: ["manifests", "blobs"]) func `follows nobody to where there is none`(kind: String) throws
    {
        let right = right
        let plain = try OddServer { right.answer($0) }
        var answers = answers()
        for path in answers.keys where path.contains("/\(kind)/") {
            answers[path] = answer("307 There", ["Location: http://\(plain.address)/\(path)"])
        }
        let server = try TLSServer(answers)
        let result = try withExtendedLifetime(plain) { try pull(server) }
        #expect(result.status == 1, "\(result.output)")
        #expect(plain.requests.isEmpty)
        #expect(try mica.images() == "")
    }

    /// Nor is anybody asked for a token there, who would see the password.
    @Test func `asks nobody for a token where there is none`() throws {
        let plain = try OddServer { _ in OddServer.Answer(body: Array(#"{"token": "t"}"#.utf8)) }
        let challenge = #"WWW-Authenticate: Bearer realm="http://\#(plain.address)/token""#
        let path = "v2/\(RightRegistry.path)/manifests/v1"
        let server = try TLSServer([path: answer("401 Who", [challenge, "Content-Length: 0"])])
        let result = try withExtendedLifetime(plain) { try pull(server) }
        #expect(result.status == 1)
        #expect(result.error.contains("without TLS"), "\(result.error)")
        #expect(plain.requests.isEmpty)
    }
}
