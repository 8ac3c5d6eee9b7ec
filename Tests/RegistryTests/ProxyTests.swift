import Foundation
import ImageFixtures
import Linux
import OCI
import SystemPackage
import Testing

/// HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as docker knows them. What is called .invalid here only a proxy knows.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `Behind a proxy` {
    private var mica: PullFixture
    private let right: RightRegistry
    private static let secret = "hunter-of-pigs"
    private static let login = "Basic \(Data("user:\(secret)".utf8).base64EncodedString())"

    init() throws {
        mica = try PullFixture()
        right = try RightRegistry([ArchiveFixture.layer(["a": "b"])])
        try mica.directory.write(
            "own.conf",
            Array("[[registry]]\nlocation = \"plain.invalid\"\ninsecure = true\n".utf8)
        )
    }

    /// Takes whole URLs, and has what the registry of one host has.
    private func proxy(for host: String, _ bend: @escaping @Sendable (OddServer.Request) -> OddServer.Answer?)
        throws -> OddServer
    {
        let right = right
        return try OddServer { request in
            if let bent = bend(request) { return bent }
            let start = "http://\(host)"
            guard request.path.hasPrefix(start) else { return .init(status: 405) }
            return right.answer(
                .init(
                    method: request.method,
                    path: String(request.path.dropFirst(start.count)),
                    query: request.query,
                    headers: request.headers
                )
            )
        }
    }

    private func withProxy(_ variables: [String: String]) -> PullFixture {
        var mica = mica
        mica.environment.merge(variables) { $1 }
        return mica
    }

    @Test func `registries without TLS are asked by way of it`() throws {
        let proxy = try proxy(for: "plain.invalid") { _ in nil }
        let mica = withProxy(["HTTP_PROXY": "http://user:\(Self.secret)@\(proxy.address)"])
        let pulled = try withExtendedLifetime(proxy) { try mica("pull", "plain.invalid/team/app:v1") }
        #expect(pulled.status == 0, "\(pulled.error)")
        #expect(!proxy.requests.isEmpty)
        #expect(proxy.requests.allSatisfy { $0.headers["proxy-authorization"] == Self.login })
        #expect(proxy.requests.allSatisfy { $0.headers["authorization"] == nil })
        #expect(!(pulled.output + pulled.error).contains(Self.secret))
    }

    @Test(.enabled(if: TLSServer.isThere, "openssl is not installed"))
    func `registries with TLS are reached through it, and are whom they are`() throws {
        let server = try TLSServer(TLSServer.answers(right))
        let proxy = try ConnectProxy(to: server.address)
        var mica = withProxy(["HTTPS_PROXY": "http://user:\(Self.secret)@\(proxy.address)"])
        let refused = try mica("pull", "registry.invalid/team/app:v1")
        #expect(refused.status == 1 && refused.error.contains("certificate"), "\(refused.error)")
        mica.environment["MICA_CERTS_D"] =
            try server.install(for: "registry.invalid", in: mica.directory).string
        let pulled = try withExtendedLifetime(server) { try mica("pull", "registry.invalid/team/app:v1") }
        #expect(pulled.status == 0, "\(pulled.error)")
        #expect(!proxy.requests.isEmpty)
        #expect(proxy.requests.allSatisfy { $0.hasPrefix("CONNECT registry.invalid:443 ") })
        #expect(proxy.requests.allSatisfy { $0.contains("Proxy-Authorization: \(Self.login)\r\n") })
        #expect(!(refused.error + pulled.output + pulled.error).contains(Self.secret))
    }

    @Test func `what it does not let through is told without its password`() throws {
        let proxy = try proxy(for: "") { _ in .init(status: 407) }
        let place = "http://user:\(Self.secret)@\(proxy.address)"
        let mica = withProxy(["HTTP_PROXY": place, "HTTPS_PROXY": place])
        for name in ["plain.invalid/team/app:v1", "registry.invalid/team/app:v1"] {
            let refused = try withExtendedLifetime(proxy) { try mica("pull", name) }
            #expect(refused.status == 1)
            #expect(refused.error.contains("its proxy wants a name and a password"), "\(refused.error)")
            #expect(!refused.error.contains(Self.secret))
        }
        // Each scheme once: what is wrong stays so.
        #expect(proxy.requests.count == 3)
        let gone = withProxy(["HTTPS_PROXY": "http://user:\(Self.secret)@proxy.invalid:1"])
        let unreachable = try gone("pull", "registry.invalid/team/app:v1")
        #expect(unreachable.status == 1)
        #expect(!unreachable.error.contains(Self.secret), "\(unreachable.error)")
    }

    @Test func `what is named in NO_PROXY, and this machine, are reached without it`() throws {
        let right = right
        let (server, proxy) = (try OddServer { right.answer($0) }, try OddServer { _ in .init(status: 500) })
        let place = "http://\(proxy.address)"
        let mica = withProxy(["HTTP_PROXY": place, "HTTPS_PROXY": place, "NO_PROXY": "a.invalid,.b.invalid"])
        let pulled = try withExtendedLifetime(server) { try mica("pull", "\(server.address)/team/app:v1") }
        #expect(pulled.status == 0, "\(pulled.error)")
        for name in ["a.invalid/x", "sub.b.invalid/x"] { #expect(try mica("pull", name).status == 1) }
        #expect(withExtendedLifetime(proxy) { proxy.requests.isEmpty })
    }

    @Test func `the storage is that a registry of this machine redirects to`() throws {
        let right = right
        let server = try OddServer { request in
            guard right.isLayer(request) else { return right.answer(request) }
            return .init(status: 307, headers: ["Location": "http://storage.invalid\(request.path)"])
        }
        let proxy = try proxy(for: "storage.invalid") { _ in nil }
        let mica = withProxy(["HTTP_PROXY": "http://\(proxy.address)"])
        let pulled = try withExtendedLifetime((server, proxy)) {
            try mica("pull", "\(server.address)/team/app:v1")
        }
        #expect(pulled.status == 0, "\(pulled.error)")
        #expect(proxy.requests.count == 1)
    }
}
