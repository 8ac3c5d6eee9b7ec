import Foundation
import ImageFixtures
import Linux
import OCI
import SystemPackage
import Testing

/// What a registry says of what it has.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `Lists of a registry` {
    private let mica: PullFixture
    private let right: RightRegistry

    init() throws {
        mica = try PullFixture()
        right = try RightRegistry([ArchiveFixture.layer(["a": "b"])])
    }

    private func json(_ text: String) -> OddServer.Answer { .init(body: Array(text.utf8)) }

    @Test func `have all their pages, and nobody else's`() throws {
        let server = try OddServer { request in
            guard request.path == "/v2/team/app/tags/list" else { return .init(status: 404) }
            var answer = json(#"{"name": "team/app", "tags": ["one", "two"]}"#)
            if request.query.contains("last=two") { return json(#"{"tags": ["three"]}"#) }
            // On this registry, whichever it says.
            answer.headers["Link"] =
                #"<https://elsewhere.invalid/v2/team/app/tags/list?last=two&n=2>; rel="next""#
            return answer
        }
        let result = try withExtendedLifetime(server) { try mica("tags", "\(server.address)/team/app") }
        #expect(result.output == "one\ntwo\nthree\n", "\(result.error)")
    }

    @Test func `have no tags that can't be tags`() throws {
        let tags = ["\\u001b[2J", "a b", "-a", "", "../a", "v1.0_a-b", String(repeating: "a", count: 129)]
        let server = try OddServer { _ in
            json(#"{"tags": [\#(tags.map { "\"\($0)\"" }.joined(separator: ", "))]}"#)
        }
        let result = try withExtendedLifetime(server) { try mica("tags", "\(server.address)/team/app") }
        #expect(result.output == "v1.0_a-b\n", "\(result.error)")
    }

    @Test func `that lead back to themselves end`() throws {
        let server = try OddServer { _ in
            var answer = json(#"{"tags": ["one"]}"#)
            answer.headers["Link"] = #"</v2/team/app/tags/list?n=1000>; rel="next""#
            return answer
        }
        let result = try withExtendedLifetime(server) { try mica("tags", "\(server.address)/team/app") }
        #expect(result.status == 0 && result.output.count < 20)
    }

    @Test func `show a manifest as it is there`() throws {
        let right = right
        let server = try OddServer { right.answer($0) }
        let name = "\(server.address)/\(RightRegistry.path)"
        let shown = try withExtendedLifetime(server) { try mica("manifest", "inspect", "\(name):v1") }
        #expect(shown.status == 0, "\(shown.error)")
        #expect(shown.output.contains(right.layers[0].digest.description))
        #expect(server.requests.count == 1)
        #expect(try mica("manifest", "inspect", "\(name):v2").error.contains("has no team/app"))
        #expect(try mica.images() == "")
    }

    @Test func `bring all tags, but for what only says things of an image`() throws {
        let right = right
        let signature = "sha256-\(right.manifest.digest.hex).sig"
        let server = try OddServer { request in
            request.path.hasSuffix("/tags/list")
                ? json(#"{"tags": ["v1", "\#(signature)", "gone"]}"#) : right.answer(request)
        }
        let name = "\(server.address)/\(RightRegistry.path)"
        let result = try withExtendedLifetime(server) { try mica("pull", "--all-tags", name) }
        #expect(result.output == "Pulled: \(name):v1\n")
        #expect(result.status == 1 && result.error.contains("manifests/gone"), "\(result.error)")
        #expect(!server.requests.contains { $0.path.hasSuffix(signature) })
        #expect(try mica("pull", "-a", "\(name):v1").status == 64)
    }

    private static let signature = """
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:\(String(repeating: "a", count: 64))",
         "size": 700, "artifactType": "application/signature", "annotations": {"by": "me"}}
        """
    private static let other = """
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:\(String(repeating: "b", count: 64))",
         "size": 7, "artifactType": "application/other"}
        """

    @Test func `say what refers to an image`() throws {
        let right = right
        let server = try OddServer { request in
            guard request.path.hasSuffix("/referrers/\(right.manifest.digest)") else {
                return right.answer(request)
            }
            // It filters nothing, whatever it is asked for.
            if request.query.contains("last=1") { return json("{\"manifests\": [\(Self.other)]}") }
            var answer = json("{\"manifests\": [\(Self.signature)]}")
            answer.headers["Link"] = "<\(request.path)?last=1>; rel=\"next\""
            return answer
        }
        let name = "\(server.address)/\(RightRegistry.path)"
        let all = try withExtendedLifetime(server) { try mica("manifest", "referrers", "\(name):v1") }
        #expect(all.status == 0, "\(all.error)")
        let lines = all.output.split(separator: "\n")
        #expect(lines.count == 3 && lines[1].contains("application/signature") && lines[1].contains("700B"))
        let one = try mica(
            "manifest",
            "referrers",
            "--artifact-type",
            "application/other",
            "--format",
            "{{.Digest}} {{.ArtifactType}}",
            "\(name)@\(right.manifest.digest)"
        )
        #expect(
            one.output == "sha256:\(String(repeating: "b", count: 64)) application/other\n",
            "\(one.error)"
        )
        #expect(server.requests.contains { $0.query == "artifactType=application/other" })
        let document = try mica("manifest", "referrers", "--format", "json", "\(name):v1")
        #expect(document.output.contains("\"by\" : \"me\""), "\(document.error)")
    }

    @Test func `say it by a tag where the registry knows of no referrers`() throws {
        let right = right
        let tag = "sha256-\(right.manifest.digest.hex)"
        let server = try OddServer { request in
            guard request.path.hasSuffix("/manifests/\(tag)") else { return right.answer(request) }
            return .init(
                headers: ["Content-Type": MediaType.index],
                body: Array("{\"schemaVersion\": 2, \"manifests\": [\(Self.signature)]}".utf8)
            )
        }
        let name = "\(server.address)/\(RightRegistry.path):v1"
        let found = try withExtendedLifetime(server) {
            try mica("manifest", "referrers", "--format", "{{.ArtifactType}}", name)
        }
        #expect(found.output == "application/signature\n", "\(found.error)")
        // Or there is none.
        let bare = try OddServer { right.answer($0) }
        let none = try withExtendedLifetime(bare) {
            try mica(
                "manifest",
                "referrers",
                "--format",
                "{{.Digest}}",
                "\(bare.address)/\(RightRegistry.path):v1"
            )
        }
        #expect(none.status == 0 && none.output == "", "\(none.error)")
        let missing = try mica("manifest", "referrers", "\(bare.address)/\(RightRegistry.path):v2")
        #expect(missing.status == 1)
    }

    @Test func `that never end are an error`() throws {
        let server = try OddServer { request in
            var answer = json(#"{"tags": ["one"]}"#)
            let number = request.query.split(separator: "=").last.flatMap { Int($0) } ?? 0
            answer.headers["Link"] = "<\(request.path)?last=\(number + 1)>; rel=\"next\""
            return answer
        }
        let result = try withExtendedLifetime(server) { try mica("tags", "\(server.address)/team/app") }
        #expect(result.status == 1 && result.error.contains("does not end"), "\(result.error)")
        // Few pages, and each as long as it may be.
        let tags = (0..<600_000).map { "\"\($0)\"" }.joined(separator: ",")
        let page = Array("{\"tags\": [\(tags)]}".utf8)
        let long = try OddServer { request in
            var answer = OddServer.Answer(body: page)
            let number = request.query.split(separator: "=").last.flatMap { Int($0) } ?? 0
            answer.headers["Link"] = "<\(request.path)?last=\(number + 1)>; rel=\"next\""
            return answer
        }
        let measured = try withExtendedLifetime(long) {
            try mica.measured(["tags", "\(long.address)/team/app"])
        }
        #expect(measured.status == 1 && measured.error.contains("does not end"), "\(measured.error)")
        #expect(measured.peak < 400 << 20, "\(measured.peak)")
    }

    @Test func `can be searched where the registry can`() throws {
        let server = try OddServer { request in
            request.path == "/v1/search" && request.query.hasPrefix("q=a%26b&")
                ? json(#"{"results": [{"name": "x/a", "description": "An  \u001b[31ma", "star_count": 3}]}"#)
                : .init(status: 404)
        }
        let found = try mica(
            "search",
            "--format",
            "{{.Name}} {{.StarCount}} {{json .Description}}",
            "\(server.address)/a&b"
        )
        #expect(found.output.hasPrefix("\(server.address)/x/a 3 "), "\(found.error)")

        let listed = try OddServer { request in
            request.path == "/v2/_catalog"
                ? json(#"{"repositories": ["team/app", "other"]}"#) : .init(status: 404)
        }
        let table = try mica("search", "\(listed.address)/app")
        #expect(table.output.split(separator: "\n").count == 2, "\(table.error)")
        #expect(table.output.contains("\(listed.address)/team/app"))

        let neither = try OddServer { _ in .init(status: 404) }
        let refused = try mica("search", "\(neither.address)/app")
        #expect(refused.status == 1)
        #expect(
            refused.error.contains("can't be searched") && refused.error.contains("mica tags"),
            "\(refused.error)"
        )
        withExtendedLifetime((server, listed, neither)) {}
    }
}
