import Foundation
import ImageFixtures
import Linux
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: PullFixture.program != nil, "no built mica"),
    .enabled(if: DockerRegistry.isThere, "docker-registry is not installed")
)
struct `A cache of steps in a registry` {
    @Test func `serves builds on another store, and has each layer once`() throws {
        let (mica, other) = (try PullFixture(), try PullFixture())
        let registry = try DockerRegistry()
        let name = "\(registry.address)/team/cache:main"
        for fixture in [mica, other] {
            try fixture.directory.write("context/file", Array("text".utf8))
            try fixture.directory.write(
                "context/Dockerfile",
                Array(
                    "FROM scratch AS a\nCOPY file /a\nFROM scratch\nCOPY --from=a /a /b\nCOPY file /c\n".utf8
                )
            )
        }
        func build(_ fixture: PullFixture, _ options: String...) throws -> (
            status: Int32, output: String, error: String
        ) {
            let environment = ["SOURCE_DATE_EPOCH": "1700000000"]
            var fixture = fixture
            fixture.environment.merge(environment) { $1 }
            let context = fixture.directory.path.appending("context").string
            return try fixture.run(["build", "--progress", "plain"] + options + [context])
        }
        let first = try build(mica, "--cache-to", "type=registry,ref=\(name),mode=max")
        #expect(first.status == 0, "\(first.error)")
        // It writes its log when it has answered.
        for _ in 0..<6000 where registry.uploads < 4 { usleep(20_000) }
        let uploads = registry.uploads
        // Three layers and the document.
        #expect(uploads == 4)
        let second = try build(other, "--cache-from", name)
        #expect(second.status == 0 && second.output == first.output, "\(second.error)")
        #expect(second.error.components(separatedBy: "CACHED").count == 4, "\(second.error)")
        #expect(other.arrivals == [])
        // What the registry has is not sent again, also not by who has it from there.
        #expect(try build(other, "--cache-from", name, "--cache-to", "\(name)").status == 0)
        #expect(registry.requests.count { $0.hasPrefix("POST ") } <= uploads + 2)
        let missing = try build(other, "--no-cache", "--cache-from", "\(registry.address)/team/none")
        #expect(missing.status == 0 && missing.error.contains("is not used"), "\(missing.error)")
    }
}
