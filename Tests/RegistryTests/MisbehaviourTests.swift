import Foundation
import ImageFixtures
import Linux
import OCI
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `A registry that misbehaves` {
    private let mica: PullFixture
    private let right: RightRegistry

    init() throws {
        mica = try PullFixture()
        var random = SystemRandomNumberGenerator()
        // What gzip makes no smaller.
        let content = (0..<15_000).map { _ in String(random.next(), radix: 36) }.joined()
        right = try RightRegistry([
            ArchiveFixture.layer(["large": content]), ArchiveFixture.layer(["small": "small"]),
        ])
    }

    @Test(arguments: Misbehaviour.all)
    func `gets one error, leaves nothing behind and keeps nobody from a right one`(kind: Misbehaviour) throws
    {
        let right = right
        let server = try OddServer { kind.answer($0, right) }
        var mica = mica
        mica.environment["MICA_REGISTRY_TIMEOUT"] = kind.silence
        let result = try withExtendedLifetime(server) {
            try mica.measured(["pull", "\(server.address)/\(RightRegistry.path):v1"])
        }
        #expect(result.status == 1)
        // Of mica, and of what it starts.
        #expect(result.peak > 1 << 20 && result.peak < 200 << 20, "\(result.peak)")
        #expect(result.output == "")
        let errors = result.error.split(separator: "\n").filter { $0.hasPrefix("mica: ") }
        #expect(errors.count == 1, "\(result.error)")
        #expect(errors.first?.contains(kind.words) == true, "\(result.error)")
        #expect(result.error.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 })
        // Each of a few things is asked for a few times.
        #expect(server.requests.count <= 40)
        #expect(try mica.images() == "")
        #expect(try mica.store.appending("tmp").names().isEmpty)

        let mended = try OddServer { right.answer($0) }
        let again = try withExtendedLifetime(mended) {
            try mica("pull", "\(mended.address)/\(RightRegistry.path):v1")
        }
        #expect(again.status == 0, "\(again.error)")
        #expect(mica.arrivals == [])
        #expect(try mica("fsck", "--deep").status == 0)
    }

    @Test func `does so in forty ways at least`() {
        #expect(Set(Misbehaviour.all.map(\.name)).count >= 40)
        #expect(Set(Misbehaviour.all.map(\.name)).count == Misbehaviour.all.count)
    }
}
