import ContainerFixtures
import Foundation
import Glibc
import ImageFixtures
import Linux
import Synchronization
import SystemPackage
import Testing

/// Who asks a registry, and who gets to know.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `Names and passwords for a registry` {
    private var mica: PullFixture
    private let right: RightRegistry

    init() throws {
        mica = try PullFixture()
        mica.environment["DOCKER_CONFIG"] = mica.directory.path.appending("auth").string
        right = try RightRegistry([ArchiveFixture.layer(["a": "b"])])
    }

    private var file: FilePath { mica.directory.path.appending("auth/config.json") }

    private func text() throws -> String { try String(contentsOfFile: file.string, encoding: .utf8) }

    private func encoded(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    /// A right registry for those who have this name and password.
    private func server(_ account: String) throws -> OddServer {
        let right = right
        let wanted = "Basic \(encoded(account))"
        return try OddServer { request in
            guard request.headers["authorization"] == wanted else {
                return .init(status: 401, headers: ["WWW-Authenticate": #"Basic realm="here""#])
            }
            return right.answer(request)
        }
    }

    private func name(_ server: OddServer) -> String { "\(server.address)/\(RightRegistry.path):v1" }

    @Test func `are kept once the registry has taken them, for their owner alone`() throws {
        let server = try server("ann:secret: word")
        try mica.directory.write(
            "auth/config.json",
            Array(#"{"psFormat": "x", "auths": {"a.b": {"auth": "YTpi"}}}"#.utf8)
        )
        #expect(chmod(file.string, 0o644) == 0)
        let wrong = try mica.run(
            ["login", "-u", "ann", "--password-stdin", server.address],
            input: "other\n"
        )
        #expect(wrong.status == 1)
        #expect(wrong.error.contains("does not take this name and password"), "\(wrong.error)")
        #expect(try !text().contains(server.address))

        let done = try mica.run(
            ["login", "-u", "ann", "--password-stdin", server.address],
            input: "secret: word\n"
        )
        #expect(done.status == 0, "\(done.error)")
        #expect(done.output.contains("Login succeeded"))
        #expect(!(done.output + done.error).contains("secret"))
        #expect(try file.status().st_mode & 0o777 == 0o600)
        let kept = try text()
        #expect(kept.contains("psFormat") && kept.contains("YTpi"))
        #expect(kept.contains(encoded("ann:secret: word")))
        #expect(try mica("pull", name(server)).status == 0)

        let gone = try mica("logout", server.address)
        #expect(gone.status == 0, "\(gone.error)")
        #expect(try !text().contains(server.address))
        #expect(try text().contains("YTpi"))
        #expect(try mica("logout", server.address).status == 1)
        #expect(try file.removingLastComponent().names().count == 1)
    }

    /// Other programs have their settings in the same file, written in their way.
    @Test func `leave every other byte of the file as it is`() throws {
        let server = try server("ann:secret")
        let rest = #"{ "number": 12345678901234567890123.50, "slash": "a\/b", "credHelpers":{"x.y" :"z"},"#
        let auths = #" "auths": {"a.b": {"auth": "YTpi", "n": 1e2}"#
        try mica.directory.write("auth/config.json", Array("\(rest)\(auths)} }".utf8))
        let done = try mica.run(["login", "-u", "ann", "--password-stdin", server.address], input: "secret")
        #expect(done.status == 0, "\(done.error)")
        #expect(
            try text() == rest + auths
                + #","\#(server.address)": {"auth":"\#(encoded("ann:secret"))"}} }"#
        )
        #expect(try mica("logout", server.address).status == 0)
        #expect(try text() == "\(rest)\(auths)} }")
    }

    @Test func `are asked for at a terminal only`() throws {
        let result = try mica("login", "a.example")
        #expect(result.status == 1 && result.error.contains("no terminal"), "\(result.error)")
        #expect(try mica("login", "-u", "a", "-p", "b", "word").status == 1)
        #expect(try mica("login", "--password-stdin", "a.example").status == 64)
    }

    @Test func `are a helper's where one is named`() throws {
        let server = try server("ann:secret")
        var mica = mica
        let directory = mica.directory.path
        try directory.appending("bin").makeDirectories()
        try Script.write(
            Data(
                """
                #!/bin/sh
                cd '\(directory)' || exit 1
                case $1 in
                store) cat > notes ;;
                get) if [ -e notes ]; then cat notes; else echo 'credentials not found in native keychain'; exit 1; fi ;;
                erase) cat > erased; rm -f notes ;;
                esac

                """.utf8
            ),
            to: directory.appending("bin/docker-credential-notes")
        )
        mica.environment["PATH"] = "\(directory)/bin:/usr/bin:/bin"
        try mica.directory.write("auth/config.json", Array(#"{"credsStore": "notes"}"#.utf8))
        let done = try mica.run(["login", "-u", "ann", "--password-stdin", server.address], input: "secret")
        #expect(done.status == 0, "\(done.error)")
        let notes = try String(contentsOfFile: directory.appending("notes").string, encoding: .utf8)
        #expect(notes.contains("secret") && notes.contains(server.address))
        #expect(try !text().contains(encoded("ann:secret")))
        let pulled = try mica("pull", name(server))
        #expect(pulled.status == 0, "\(pulled.error)")
        #expect(try mica("logout", server.address).status == 0)
        #expect(!directory.appending("notes").exists)
    }

    @Test func `are not repeated where a helper can't keep them`() throws {
        let server = try server("ann:secret")
        var mica = mica
        let directory = mica.directory.path
        try directory.appending("bin").makeDirectories()
        try Script.write(
            Data("#!/bin/sh\nif [ \"$1\" = store ]; then cat; fi\nexit 1\n".utf8),
            to: directory.appending("bin/docker-credential-tells")
        )
        mica.environment["PATH"] = "\(directory)/bin:/usr/bin:/bin"
        try mica.directory.write("auth/config.json", Array(#"{"credsStore": "tells"}"#.utf8))
        let result = try mica.run(
            ["login", "-u", "ann", "--password-stdin", server.address],
            input: "secret"
        )
        #expect(result.status == 1 && result.error.contains("could not keep"), "\(result.error)")
        #expect(!(result.output + result.error).contains("secret"))
    }

    @Test func `are written where a link leads, also for the first time`() throws {
        let server = try server("ann:secret")
        let directory = mica.directory.path
        try? directory.appending("auth/config.json").unlink()
        try directory.appending("auth").makeDirectories()
        try FileManager.default.createSymbolicLink(
            atPath: directory.appending("auth/config.json").string,
            withDestinationPath: "../kept.json"
        )
        let result = try mica.run(
            ["login", "-u", "ann", "--password-stdin", server.address],
            input: "secret"
        )
        #expect(result.status == 0, "\(result.error)")
        #expect(
            directory.appending("auth/config.json").target.map { String(decoding: $0, as: UTF8.self) }
                == "../kept.json"
        )
        #expect(directory.appending("kept.json").exists)
    }

    @Test func `go to no other host without TLS`() throws {
        let other = try OddServer { _ in .init(body: Array(#"{"token": "t0ken"}"#.utf8)) }
        // The same server by another name of its host.
        let realm = "http://\(other.address.replacing("127.0.0.1", with: "localhost"))/token"
        let server = try OddServer { _ in
            .init(status: 401, headers: ["WWW-Authenticate": #"Bearer realm="\#(realm)",service="s""#])
        }
        try mica.directory.write(
            "auth/config.json",
            Array(#"{"auths": {"\#(server.address)": {"auth": "\#(encoded("ann:secret"))"}}}"#.utf8)
        )
        let result = try withExtendedLifetime(other) { try mica("pull", name(server)) }
        #expect(result.status == 1 && result.error.contains("without TLS"), "\(result.error)")
        #expect(other.requests.isEmpty)
    }

    @Test func `are not waited for without end where a helper hangs`() throws {
        let server = try server("ann:secret")
        var mica = mica
        let directory = mica.directory.path
        for (helper, what) in [("hangs", "exec sleep 1000"), ("closes", "exec sleep 1000 >/dev/null")] {
            try directory.appending("bin").makeDirectories()
            try Script.write(
                Data("#!/bin/sh\n\(what)\n".utf8),
                to: directory.appending("bin/docker-credential-\(helper)")
            )
            mica.environment["PATH"] = "\(directory)/bin:/usr/bin:/bin"
            mica.environment["MICA_REGISTRY_TIMEOUT"] = "20"
            try mica.directory.write("auth/config.json", Array(#"{"credsStore": "\#(helper)"}"#.utf8))
            let result = try mica("pull", name(server))
            #expect(result.status == 1)
            #expect(result.error.contains("has not answered"), "\(result.error)")
        }
    }

    @Test func `are those of the longest name that fits`() throws {
        let server = try server("team:right")
        let entries = [
            server.address: "all:wrong", "\(server.address)/team": "team:right",
            "\(server.address)/team/app/more": "more:wrong", "\(server.address)/te": "te:wrong",
        ]
        .map { #""\#($0.key)": {"auth": "\#(encoded($0.value))"}"# }
        try mica.directory.write(
            "auth/config.json",
            Array(#"{"auths": {\#(entries.joined(separator: ", "))}}"#.utf8)
        )
        let result = try mica("pull", name(server))
        #expect(result.status == 0, "\(result.error)")
    }

    @Test func `are not needed where one line asks for a token as well`() throws {
        let right = right
        let place = Mutex("")
        let server = try OddServer { request in
            if request.path == "/token" { return .init(body: Array(#"{"token": "t0ken"}"#.utf8)) }
            guard request.headers["authorization"] == "Bearer t0ken" else {
                let realm = "http://\(place.withLock { $0 })/token"
                return .init(
                    status: 401,
                    headers: [
                        "WWW-Authenticate":
                            #"Basic realm="a, b", charset=utf-8, Bearer realm="\#(realm)",service="s""#
                    ]
                )
            }
            return right.answer(request)
        }
        place.withLock { $0 = server.address }
        let result = try mica("pull", name(server))
        #expect(result.status == 0, "\(result.error)")
        #expect(server.requests.contains { $0.path == "/token" && $0.query.contains("service=s") })
    }
}
