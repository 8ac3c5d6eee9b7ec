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

    @Test func `sends smaller parts where a part is too much`() throws {
        let registry = ReceivingServer()
        let server = try OddServer { request in
            request.body.count > 3 << 20 ? .init(status: 413) : registry.answer(request)
        }
        let result = try push(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(registry.manifests["v1"] != nil)
        #expect(registry.blobs.count == 2)
        let parts = server.requests.filter { $0.method == "PATCH" }.map(\.body.count)
        #expect(parts.prefix(3) == [8 << 20, 4 << 20, 2 << 20])
        // A refused part is sent again in smaller ones to where it was to go: nothing begins anew but after the whole blob.
        #expect(server.requests.count { $0.method == "POST" } == 3)
    }

    @Test func `gives up where no part is small enough`() throws {
        let registry = ReceivingServer()
        let server = try OddServer { request in
            request.body.count > 1000 ? .init(status: 413) : registry.answer(request)
        }
        let result = try push(server)
        #expect(result.status == 1)
        #expect(result.error.contains("answers 413"), "\(result.error)")
        #expect(registry.manifests.isEmpty)
    }

    @Test func `sends the rest of a part of which something has arrived`() throws {
        let registry = ReceivingServer()
        let broken = Atomic(0)
        let server = try OddServer { request in
            if request.body.count > 8 << 20 { return .init(status: 413) }
            if request.method == "PATCH", broken.exchange(1, ordering: .sequentiallyConsistent) == 0 {
                var half = request
                half.body = Array(request.body.prefix(3 << 20))
                _ = registry.answer(half)
                return .init(status: 502)
            }
            return registry.answer(request)
        }
        let result = try push(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(server.requests.contains { $0.headers["content-range"]?.hasPrefix("\(3 << 20)-") == true })
        #expect(registry.blobs.count == 2)
    }

    @Test func `begins anew where the registry has lost what it had`() throws {
        let registry = ReceivingServer()
        let lost = Mutex<String?>(nil)
        let server = try OddServer { request in
            if request.body.count > 8 << 20 { return .init(status: 413) }
            let isLost = lost.withLock { lost in
                if request.method == "PATCH", lost == nil { lost = request.path }
                return lost == request.path
            }
            return isLost ? .init(status: request.method == "PATCH" ? 500 : 404) : registry.answer(request)
        }
        let result = try push(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(registry.blobs.count == 2)
    }

    /// A registry can take hours. Meanwhile others may remove the image and collect: what is pushed stays.
    @Test func `keeps nobody else from the store while the registry says nothing`() throws {
        let registry = ReceivingServer()
        let isHeld = Atomic(true)
        let isReached = Atomic(false)
        let server = try OddServer { request in
            if request.method == "PUT", request.body.count > 1 << 20 {
                isReached.store(true, ordering: .sequentiallyConsistent)
                while isHeld.load(ordering: .sequentiallyConsistent) { usleep(10_000) }
            }
            return registry.answer(request)
        }
        defer { isHeld.store(false, ordering: .sequentiallyConsistent) }
        let process = try mica.process(["push", "made:1", "\(server.address)/\(RightRegistry.path):v1"])
        let errors = Foundation.Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        while !isReached.load(ordering: .sequentiallyConsistent), process.isRunning { usleep(10_000) }
        #expect(process.isRunning)
        let removed = try mica("rmi", "made:1")
        #expect(removed.status == 0, "\(removed.error)")
        let collected = try mica("gc", "--explain")
        #expect(collected.status == 0, "\(collected.error)")
        #expect(collected.output.contains("lease push"), "\(collected.output)")
        isHeld.store(false, ordering: .sequentiallyConsistent)
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said)")
        #expect(registry.manifests["v1"] != nil)
        #expect(registry.blobs.count == 2)
        // Now they go.
        #expect(try mica("gc").status == 0)
        #expect(try mica.store.appending("layers").names().isEmpty)
        #expect(try mica.store.appending("tmp").names().isEmpty)
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
