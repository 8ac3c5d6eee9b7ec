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
            // A command that says which gets it.
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

/// mica's own: $MICA_REGISTRIES_CONF, else /etc/mica/registries.conf and ~/.config/mica/registries.conf.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `mica's own registries.conf` {
    private let mica: PullFixture
    private let right: RightRegistry

    init() throws {
        mica = try PullFixture()
        right = try RightRegistry([ArchiveFixture.layer(["a": "b"])])
    }

    private func write(_ name: String, _ text: String) throws {
        try mica.directory.write(name, Array(text.utf8))
    }

    @Test func `has the last word, but only of what it says`() throws {
        let right = right
        let server = try OddServer { right.answer($0) }
        try write(
            "registries.conf",
            """
            [[registry]]
            location = "ours.invalid"
            blocked = true
            [[registry]]
            location = "theirs.invalid"
            blocked = true
            """
        )
        try write(
            "own.conf",
            """
            [[registry]]
            location = "ours.invalid"
            mirror = [{location = "\(server.address)", insecure = true}]
            """
        )
        let pulled = try withExtendedLifetime(server) { try mica("pull", "ours.invalid/team/app:v1") }
        #expect(pulled.status == 0, "\(pulled.error)")
        let blocked = try mica("pull", "theirs.invalid/team/app:v1")
        #expect(blocked.error.contains("is blocked by \(mica.directory.path)/registries.conf"))
    }

    @Test func `is the user's as well`() throws {
        var mica = mica
        mica.environment["MICA_REGISTRIES_CONF"] = ""
        for (variable, path) in [
            ("HOME", ".config/mica/registries.conf"), ("XDG_CONFIG_HOME", "mica/registries.conf"),
        ] {
            let home = try TemporaryDirectory()
            try home.write(path, Array("[[registry]]\nprefix = \"x.invalid\"\nblocked = true\n".utf8))
            var mica = mica
            mica.environment[variable] = home.path.string
            let blocked = try mica("pull", "x.invalid/a")
            #expect(blocked.error.contains("is blocked by \(home.path)/\(path)"), "\(blocked.error)")
        }
    }

    @Test func `never lets a short name be guessed`() throws {
        try write("own.conf", "unqualified-search-registries = [\"ours.invalid\", \"docker.io\"]\n")
        let refused = try mica("pull", "app:v1")
        #expect(refused.status == 1)
        #expect(refused.error.contains("could be docker.io/library/app, or ours.invalid/app"))
        #expect(refused.error.contains("own.conf"))
    }

    @Test func `is refused where anything in it is unknown or of the wrong kind, by file and line`() throws {
        for (text, line, words) in [
            ("\n# so\nunknown = 1\n", 3, "there is no unknown here"),
            ("[[registry]]\nlocation = \"a\"\nblockd = true\n", 3, "there is no blockd here"),
            ("[[registry]]\nlocation = \"a\"\nblocked = \"true\"\n", 3, "blocked is true or false"),
            ("[[registry]]\nlocation = \"a\"\ninsecure = 1\n", 3, "insecure is true or false"),
            ("[[registry]]\nlocation = \"https://a\"\n", 2, "HOST[:PORT][/PATH]"),
            ("[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\ninsecure = true\n", 3, "no location"),
            ("[[registry]]\nlocation = \"a\"\nmirror = [\n{location = 1}]\n", 4, "text in quotes"),
            ("[[registry]]\nlocation = \"a\"\nmirror = \"b\"\n", 3, "mirror is a list"),
            ("unqualified-search-registries = \"docker.io\"\n", 1, "is a list"),
            ("[aliases]\na = 1\n", 2, "text in quotes"), ("registry = 1\n", 1, "registry is a list"),
            ("a = 1\n[a.b]\n", 2, "a is no table"), ("[[registry]]\nblocked = true\n", 1, "neither"),
        ] {
            try write("own.conf", text)
            let result = try mica("pull", "a.invalid/b")
            #expect(result.status == 1)
            #expect(
                result.error.contains("\(mica.directory.path)/own.conf, line \(line): ")
                    && result.error.contains(words),
                "\(text): \(result.error)"
            )
        }
    }

    @Test func `leaves to containers' file what mica does not know`() throws {
        try write(
            "registries.conf",
            "short-name-mode = \"enforcing\"\n[[registry]]\nlocation = \"b.invalid\"\nblocked = true\nnew = 1\n"
        )
        #expect(try mica("pull", "b.invalid/b").error.contains("is blocked by"))
    }
}
