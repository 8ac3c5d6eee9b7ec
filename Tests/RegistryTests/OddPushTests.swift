import Foundation
import Glibc
import ImageFixtures
import Linux
import OCI
import Synchronization
import SystemPackage
import Testing

/// What a registry may do to what is sent.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `A push to an odd registry` {
    private let mica: PullFixture

    init() throws {
        mica = try PullFixture()
        // What gzip makes smaller than it is, and not smaller than two parts.
        var bytes = [UInt8](repeating: 0, count: 12 << 20)
        let random = try OwnedFD.open(FilePath("/dev/urandom"), O_RDONLY)
        _ = try bytes.withUnsafeMutableBytes { try random.readFully(into: $0, at: 0) }
        try mica.directory.write(
            "root.tar",
            ArchiveFixture.layer(["large": Data(bytes).base64EncodedString()])
        )
        let made = try mica("import", "-q", mica.directory.path.appending("root.tar").string, "made:1")
        #expect(made.status == 0, "\(made.error)")
    }

    private func push(_ server: OddServer) throws -> (status: Int32, output: String, error: String) {
        try withExtendedLifetime(server) {
            try mica("push", "made:1", "\(server.address)/\(RightRegistry.path):v1")
        }
    }

    @Test func `sends in parts what is too much at once`() throws {
        let registry = ReceivingServer()
        let server = try OddServer { request in
            request.body.count > 8 << 20 ? .init(status: 413) : registry.answer(request)
        }
        let result = try push(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(server.requests.count { $0.method == "PATCH" } == 2)
        #expect(registry.blobs.count == 2)
        #expect(registry.manifests["v1"] != nil)
    }

    @Test func `sends again what failed for a while, and not for ever`() throws {
        let registry = ReceivingServer()
        let failed = Atomic(0)
        let server = try OddServer { request in
            if request.method == "PUT", request.body.count > 1 << 20,
                failed.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue < 3
            {
                return .init(status: 503, headers: ["Retry-After": "0"])
            }
            return registry.answer(request)
        }
        let result = try push(server)
        #expect(result.status == 0, "\(result.error)")
        let busy = ReceivingServer()
        let never = try OddServer { request in
            request.method == "PUT" ? .init(status: 500) : busy.answer(request)
        }
        let refused = try push(never)
        #expect(refused.status == 1 && refused.error.contains("5 times"), "\(refused.error)")
        #expect(busy.manifests.isEmpty)
        #expect(try mica.store.appending("tmp").names().isEmpty)
    }

    @Test func `sends all of a part and of a manifest again`() throws {
        let registry = ReceivingServer()
        let failed = Mutex<Set<String>>([])
        let server = try OddServer { request in
            if request.body.count > 8 << 20 { return .init(status: 413) }
            let isNew = failed.withLock { $0.insert("\(request.method) \(request.path)").inserted }
            if isNew, request.method == "PATCH" || request.method == "PUT" && request.path.hasSuffix("/v1") {
                return .init(status: 503)
            }
            return registry.answer(request)
        }
        let result = try push(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(server.requests.count { $0.method == "PATCH" } == 3)
        #expect(registry.manifests["v1"]?.isEmpty == false)
        #expect(registry.blobs.count == 2)
    }

    @Test func `goes where a relative place leads`() throws {
        let registry = ReceivingServer()
        let server = try OddServer { request in
            var answer = registry.answer(request)
            if request.method == "POST", let place = answer.headers["Location"] {
                answer.headers["Location"] = place.split(separator: "/").last.map(String.init)
            }
            return answer
        }
        let result = try push(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(registry.blobs.count == 2)
    }

    @Test func `does not show where it sends to`() throws {
        let registry = ReceivingServer()
        let server = try OddServer { request in
            if request.body.count > 8 << 20 { return .init(status: 413) }
            return request.method == "PATCH" ? .init(status: 400) : registry.answer(request)
        }
        let result = try push(server)
        #expect(result.status == 1)
        #expect(result.error.contains("answers 400") && !result.error.contains("state="), "\(result.error)")
    }

    @Test func `says in one sentence that it may not`() throws {
        let server = try OddServer { request in
            request.method == "POST"
                ? .init(status: 403, body: Array(#"{"errors": [{"message": "read-only\u001b[2J"}]}"#.utf8))
                : .init(status: 404)
        }
        let result = try push(server)
        #expect(result.status == 1)
        #expect(result.error.contains("refuses team/app (read-only"), "\(result.error)")
        #expect(!result.error.contains("\u{1b}"))
    }

    @Test func `tells nobody to whom its blobs are sent who sends them`() throws {
        let registry = ReceivingServer()
        let place = Mutex("")
        let storage = try OddServer { request in registry.answer(request) }
        let server = try OddServer { request in
            guard request.headers["authorization"] != nil else {
                return .init(status: 401, headers: ["WWW-Authenticate": #"Basic realm="x""#])
            }
            var answer = registry.answer(request)
            if let path = answer.headers["Location"] {
                answer.headers["Location"] = "http://\(place.withLock { $0 })\(path)"
            }
            return answer
        }
        place.withLock { $0 = storage.address }
        var mica = mica
        let auth = Data("user:secret".utf8).base64EncodedString()
        try mica.directory.write(
            "auth/config.json",
            Array(#"{"auths": {"\#(server.address)": {"auth": "\#(auth)"}}}"#.utf8)
        )
        mica.environment["DOCKER_CONFIG"] = mica.directory.path.appending("auth").string
        let result = try withExtendedLifetime((server, storage)) {
            try mica("push", "made:1", "\(server.address)/\(RightRegistry.path):v1")
        }
        #expect(result.status == 0, "\(result.error)")
        #expect(storage.requests.count { $0.method == "PUT" } == 2)
        #expect(storage.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test func `asks once for a token that lets it`() throws {
        let registry = ReceivingServer()
        let place = Mutex("")
        let server = try OddServer { request in
            if request.path == "/token" {
                let token = request.query.contains("push") ? "both" : "pull"
                return .init(body: Array(#"{"token": "\#(token)"}"#.utf8))
            }
            guard request.headers["authorization"] == "Bearer both" else {
                let realm = "http://\(place.withLock { $0 })/token"
                let scope = "repository:team/app:pull"
                return .init(
                    status: 401,
                    headers: ["WWW-Authenticate": #"Bearer realm="\#(realm)",service="s",scope="\#(scope)""#]
                )
            }
            return registry.answer(request)
        }
        place.withLock { $0 = server.address }
        let result = try push(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(server.requests.count { $0.path == "/token" } == 1)
    }

    @Test func `names nothing before all of it is there`() throws {
        let registry = ReceivingServer()
        let server = try OddServer { request in
            request.method == "PUT" && request.body.count > 1 << 20
                ? .init(status: 400) : registry.answer(request)
        }
        let result = try push(server)
        #expect(result.status == 1)
        #expect(registry.manifests.isEmpty)
    }
}
