import Foundation
import ImageFixtures
import Linux
import OCI
import SystemPackage
import Testing

/// containers' registries.conf: $CONTAINERS_REGISTRIES_CONF.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `registries.conf` {
    private let mica: PullFixture
    private let right: RightRegistry

    init() throws {
        mica = try PullFixture()
        right = try RightRegistry([ArchiveFixture.layer(["a": "b"])])
    }

    private func configure(_ text: String) throws {
        try mica.directory.write("registries.conf", Array(text.utf8))
    }

    private func server() throws -> OddServer {
        let right = right
        return try OddServer { right.answer($0) }
    }

    @Test func `sends to a mirror first, and to the next where that has it not`() throws {
        let (empty, full) = (try OddServer { _ in .init(status: 404) }, try server())
        try configure(
            """
            # A comment.
            unqualified-search-registries = ["docker.io"]

            [[registry]]
            prefix = "registry.example/ours"
            location = "nowhere.invalid"
              [[registry.mirror]]
              location = "\(empty.address)/team" # none there
              [[registry.mirror]]
              location = '\(full.address)/team'
              insecure = true

            [[registry]]
            prefix = "registry.example"
            location = "nowhere.invalid"
            """
        )
        let result = try withExtendedLifetime((empty, full)) {
            try mica("pull", "registry.example/ours/app:v1")
        }
        #expect(result.status == 0, "\(result.error)")
        #expect(empty.requests.first?.path == "/v2/team/app/manifests/v1")
        #expect(full.requests.contains { $0.path == "/v2/team/app/manifests/v1" })
        // It is called what it was asked for as.
        #expect(try mica("inspect", "registry.example/ours/app:v1").status == 0)
        #expect(try mica("pull", "registry.example/other:v1").error.contains("nowhere.invalid"))
    }

    @Test func `does not let a mirror see the registry's password`() throws {
        let mirror = try OddServer { _ in
            .init(status: 401, headers: ["WWW-Authenticate": #"Basic realm="x""#])
        }
        try configure(
            """
            [[registry]]
            location = "registry.invalid"
            mirror = [{location = "\(mirror.address)"}]
            """
        )
        var mica = mica
        let auth = Data("user:secret".utf8).base64EncodedString()
        try mica.directory.write(
            "auth/config.json",
            Array(#"{"auths": {"registry.invalid": {"auth": "\#(auth)"}}}"#.utf8)
        )
        mica.environment["DOCKER_CONFIG"] = mica.directory.path.appending("auth").string
        #expect(try withExtendedLifetime(mirror) { try mica("pull", "registry.invalid/a:v1") }.status == 1)
        #expect(!mirror.requests.isEmpty)
        #expect(mirror.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test func `blocks`() throws {
        let server = try server()
        try configure("[[registry]]\nprefix = \"\(server.address)/team\"\nblocked = true\n")
        for verb in [["pull"], ["tags"], ["manifest", "inspect"]] {
            let result = try mica.run(verb + ["\(server.address)/team/app"])
            #expect(result.status == 1)
            #expect(result.error.contains("is blocked by"), "\(result.error)")
        }
        #expect(server.requests.isEmpty)
    }

    @Test func `never lets a short name be guessed`() throws {
        let server = try server()
        let ours = """
            [[registry]]
            prefix = "docker.io/library"
            location = "\(server.address)/team"

            """
        try configure(ours)
        let pulled = try withExtendedLifetime(server) { try mica("pull", "app:v1") }
        #expect(pulled.status == 0, "\(pulled.error)")
        #expect(pulled.output == "Pulled: docker.io/library/app:v1\n")
        for (text, other) in [
            ("unqualified-search-registries = ['quay.io', \"docker.io\"]\n", "quay.io/app"),
            ("[aliases]\n\"app\" = \"quay.io/other/app\"\n", "quay.io/other/app"),
        ] {
            let before = server.requests.count
            try configure(text + ours)
            let refused = try mica("pull", "app:v1")
            #expect(refused.status == 1)
            #expect(refused.error.contains("could be docker.io/library/app, or \(other)"), "\(refused.error)")
            #expect(server.requests.count == before)
            // Whoever says which gets it.
            #expect(try mica("pull", "docker.io/library/app:v1").status == 0)
        }
    }

    @Test func `is refused where it can't be read, line and all`() throws {
        for (text, line) in [
            ("[[registry]]\nlocation = \n", "line 2"), ("a = 1 b = 2\n", "line 1"), ("x = \"a\nb\"", "line"),
            ("[registries.search]\nregistries = []\n", "version 1"), ("a = 2024-01-01T00:00:00Z", "line 1"),
            ("[[registry]]\nblocked = true\n", "neither a prefix nor a location"),
            ("a = 1\na = 2\n", "twice"),
        ] {
            try configure(text)
            let result = try mica("pull", "a.invalid/b")
            #expect(result.status == 1)
            #expect(result.error.contains(line), "\(text): \(result.error)")
        }
    }

    @Test(.enabled(if: TLSServers.isThere, "openssl and python3 are not installed"))
    func `says whose certificate is not looked at`() throws {
        let servers = try TLSServers(right)
        let name = "\(servers.registry)/\(RightRegistry.path):v1"
        #expect(try mica("pull", name).status == 1)
        try configure("[[registry]]\nlocation = \"\(servers.registry)\"\ninsecure = true\n")
        let result = try mica("pull", name)
        #expect(result.status == 0, "\(result.error)")
    }
}
