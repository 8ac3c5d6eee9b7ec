import ContainerFixtures
import Foundation
import Glibc
import ImageFixtures
import Linux
import OCI
import Synchronization
import SystemPackage
import Testing

/// What a registry may do that is broken, or means harm.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `A pull from an odd registry` {
    private let mica: PullFixture
    private let right: RightRegistry

    init() throws {
        mica = try PullFixture()
        var random = SystemRandomNumberGenerator()
        // What gzip makes no smaller.
        let content = (0..<100_000).map { _ in String(random.next(), radix: 36) }.joined()
        right = try RightRegistry([
            ArchiveFixture.layer(["large": content]), ArchiveFixture.layer(["small": "small"]),
        ])
    }

    private func name(_ server: OddServer) -> String { "\(server.address)/\(RightRegistry.path):v1" }

    private func pull(_ server: OddServer) throws -> (status: Int32, output: String, error: String) {
        try withExtendedLifetime(server) { try mica("pull", name(server)) }
    }

    /// Fails with these words, and leaves nothing that a next pull from a right registry would stumble over.
    private func expectRefusal(
        _ words: String,
        silence: String = "600",
        _ answer: @escaping @Sendable (OddServer.Request) -> OddServer.Answer
    ) throws {
        let server = try OddServer(answer)
        var impatient = mica
        impatient.environment["MICA_REGISTRY_TIMEOUT"] = silence
        let result = try withExtendedLifetime(server) { try impatient("pull", name(server)) }
        #expect(result.status == 1)
        #expect(result.error.contains(words), "\(result.error)")
        #expect(try mica.images() == "")
        let right = right
        let mended = try OddServer { right.answer($0) }
        let again = try pull(mended)
        #expect(again.status == 0, "\(again.error)")
        #expect(mica.arrivals == [])
    }

    @Test func `asks for no blob that it has`() throws {
        let right = right
        let server = try OddServer { right.answer($0) }
        #expect(try pull(server).status == 0)
        let blobs = server.requests.count { right.isLayer($0) }
        #expect(blobs == 2)
        #expect(try pull(server).status == 0)
        #expect(server.requests.count { right.isLayer($0) } == blobs)
    }

    @Test(.enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
    func `comes by itself where a container wants it`() throws {
        let right = right
        let server = try OddServer { right.answer($0) }
        let never = try mica("create", "--pull", "never", name(server))
        #expect(never.status == 125 && never.error.contains("no such image"))
        #expect(server.requests.isEmpty)
        func make(_ policy: String) throws -> Int {
            let made = try mica("create", "--pull", policy, name(server))
            #expect(made.status == 0, "\(made.error)")
            return server.requests.count
        }
        let first = try make("missing")
        #expect(first > 0)
        #expect(try make("missing") == first)
        #expect(try make("always") > first)
    }

    @Test func `goes on where a blob broke off, and fetches no byte twice`() throws {
        let right = right
        let breaks = Atomic(0)
        let server = try OddServer { request in
            var answer = right.answer(request)
            if right.isLayer(request), answer.body.count > 100_000 {
                breaks.wrappingAdd(1, ordering: .sequentiallyConsistent)
                answer.length = answer.body.count
                answer.cut = 100_000
            }
            return answer
        }
        let result = try pull(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(breaks.load(ordering: .sequentiallyConsistent) > 3)
        let documents = right.blobs.values.reduce(0) { $0 + $1.count } - right.blobSize
        #expect(server.bytesSent == right.blobSize + documents)
    }

    @Test func `takes a whole blob where the registry knows no ranges`() throws {
        let right = right
        let count = Atomic(0)
        let server = try OddServer { request in
            let plain = OddServer.Request(
                method: request.method,
                path: request.path,
                query: request.query,
                headers: [:]
            )
            var answer = right.answer(plain)
            if right.isLayer(request), answer.body.count > 100_000,
                count.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue < 3
            {
                answer.length = answer.body.count
                answer.cut = 150_000
            }
            return answer
        }
        let result = try pull(server)
        #expect(result.status == 0, "\(result.error)")
    }

    @Test func `that was killed goes on the next time`() throws {
        let right = right
        let server = try OddServer { request in
            var answer = right.answer(request)
            if right.isLayer(request), request.headers["range"] == nil, answer.body.count > 100_000 {
                answer.length = answer.body.count
                answer.cut = 400_000
                answer.stalls = true
            }
            return answer
        }
        let process = try mica.process(["pull", name(server)])
        process.standardError = FileHandle.nullDevice
        try process.run()
        func has(_ size: Int, in directory: String) -> Bool {
            let directory = mica.store.appending(directory)
            return ((try? directory.names()) ?? []).contains { name in
                let status = try? directory.appending(String(decoding: name, as: UTF8.self)).status()
                return Int(status?.st_size ?? 0) == size
            }
        }
        // The small one whole: it may have gone on to where blobs are kept.
        let small = Int(right.layers[1].size)
        func isThere() -> Bool {
            has(400_000, in: "arrivals") && (has(small, in: "arrivals") || has(small, in: "blobs"))
        }
        while !isThere(), process.isRunning { usleep(20_000) }
        #expect(isThere())
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(try mica.images() == "")
        let result = try mica("pull", name(server))
        #expect(result.status == 0, "\(result.error)")
        #expect(server.requests.contains { $0.headers["range"] == "bytes=400000-" })
        #expect(server.requests.count { $0.path.hasSuffix("\(right.layers[1].digest)") } == 1)
        #expect(mica.arrivals == [])
    }

    /// A pull can be killed when a layer is in the store and the file of its blob not yet where it is kept.
    @Test func `keeps the blob of a layer that an earlier one has read`() throws {
        let right = right
        let server = try OddServer { right.answer($0) }
        #expect(try pull(server).status == 0)
        let (blobs, arrivals) = (mica.store.appending("blobs"), mica.store.appending("arrivals"))
        let names = right.layers.map(\.digest.hex)
        for name in names { try blobs.appending(name).rename(to: arrivals.appending(name)) }
        // One of them is cut, the other whole.
        try OwnedFD.open(arrivals.appending(names[1]), O_WRONLY).truncate(to: 1)
        #expect(try pull(server).status == 0)
        #expect(mica.arrivals == [])
        #expect(try blobs.names().map { String(decoding: $0, as: UTF8.self) } == [names[0]])
        // A damaged one is not kept.
        try blobs.appending(names[0]).rename(to: arrivals.appending(names[0]))
        let file = try OwnedFD.open(arrivals.appending(names[0]), O_WRONLY)
        try file.writeAll([0, 0, 0, 0])
        #expect(try pull(server).status == 0)
        #expect(mica.arrivals == [])
        #expect(try blobs.names().isEmpty)
    }

    @Test func `that is killed at twenty places fetches no byte twice`() throws {
        var random = SystemRandomNumberGenerator()
        let layers = try (1...3).map { number in
            let content = (0..<(number * 20_000)).map { _ in String(random.next(), radix: 36) }.joined()
            return try ArchiveFixture.layer(["file\(number)": content])
        }
        let right = try RightRegistry(layers)
        /// Bytes that will have come of each layer, and how many were sent in all.
        let plan = Mutex<(ends: [String: Int], sent: Int, answers: Int)>(([:], 0, 0))
        let isLast = Atomic(false)
        let server = try OddServer { request in
            var answer = right.answer(request)
            guard right.isLayer(request) else { return answer }
            let start = request.headers["range"].flatMap { Int($0.dropFirst("bytes=".count).dropLast()) } ?? 0
            let rest = answer.body.count
            let cut = isLast.load(ordering: .sequentiallyConsistent) ? rest : Int.random(in: 0...rest / 6)
            answer.length = rest
            answer.cut = cut
            answer.stalls = cut < rest
            plan.withLock {
                $0.ends[request.path] = start + cut
                $0.sent += cut
                $0.answers += 1
            }
            return answer
        }
        var mica = mica
        mica.environment["MICA_REGISTRY_TIMEOUT"] = "600"
        func have() -> Int {
            mica.arrivals.reduce(0) { sum, file in
                sum + Int((try? mica.store.appending("arrivals").appending(file).status())?.st_size ?? 0)
            }
        }
        for round in 1...20 {
            let process = try mica.process(["pull", name(server)])
            process.standardError = FileHandle.nullDevice
            try process.run()
            // All that is asked for has been, and what comes of it has come.
            func isThere() -> Bool {
                plan.withLock { $0.answers == round * 3 && $0.ends.values.reduce(0, +) == have() }
            }
            var tries = 0
            while !isThere(), tries < 60_000 {
                usleep(10_000)
                tries += 1
            }
            #expect(tries < 60_000, "round \(round)")
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        #expect(try mica.images() == "")
        isLast.store(true, ordering: .sequentiallyConsistent)
        let result = try withExtendedLifetime(server) { try mica("pull", name(server)) }
        #expect(result.status == 0, "\(result.error)")
        #expect(plan.withLock { $0.sent } == right.blobSize)
        #expect(mica.arrivals == [])
    }

    @Test(
        .enabled(if: TestRoot.isPossible, "needs root and busybox-static"),
        arguments: [["create"], ["run", "--rm"]]
    )
    func `that is interrupted leaves nothing half done, also where a container wants the image`(
        verb: [String]
    ) throws {
        let right = right
        let server = try OddServer { request in
            var answer = right.answer(request)
            if right.isLayer(request), answer.body.count > 100_000 {
                answer.length = answer.body.count
                answer.cut = 400_000
                answer.stalls = true
            }
            return answer
        }
        var mica = mica
        mica.environment["MICA_REGISTRY_TIMEOUT"] = "600"
        let process = try mica.process(verb + [name(server), "true"])
        process.standardError = FileHandle.nullDevice
        try process.run()
        func staged() -> [[UInt8]] { (try? mica.store.appending("tmp").names()) ?? [] }
        for _ in 0..<3000 where staged().isEmpty { usleep(20_000) }
        #expect(!staged().isEmpty)
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(process.terminationStatus == SIGINT)
        #expect(staged().isEmpty)
    }

    @Test func `tries again what is overloaded, and not for ever`() throws {
        let right = right
        let count = Atomic(0)
        let server = try OddServer { request in
            count.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue < 4
                ? OddServer.Answer(status: 503, headers: ["Retry-After": "0"]) : right.answer(request)
        }
        let result = try pull(server)
        #expect(result.status == 0, "\(result.error)")
        let busy = try OddServer { _ in OddServer.Answer(status: 429) }
        let refused = try pull(busy)
        #expect(refused.error.contains("it answers 429, 5 times"), "\(refused.error)")
        #expect(busy.requests.count == 5)
    }

    @Test func `gets a token and shows it to nobody else`() throws {
        let right = right
        let storage = try OddServer { request in
            let path = request.path.replacing("/storage", with: "/v2")
            let moved = OddServer.Request(
                method: request.method,
                path: path,
                query: "",
                headers: request.headers
            )
            return right.answer(moved)
        }
        let place = Mutex("")
        let server = try OddServer { request in
            if request.path == "/token" {
                #expect(
                    request.query.contains("scope=repository%3Ateam%2Fapp%3Apull")
                        || request.query.contains("scope=repository:team/app:pull")
                )
                return OddServer.Answer(body: Array(#"{"token": "t0ken"}"#.utf8))
            }
            guard request.headers["authorization"] == "Bearer t0ken" else {
                let realm = "http://\(place.withLock { $0 })/token"
                return OddServer.Answer(
                    status: 401,
                    headers: [
                        "WWW-Authenticate":
                            #"Bearer realm="\#(realm)",service="here",scope="repository:team/app:pull""#
                    ]
                )
            }
            guard right.isLayer(request) else { return right.answer(request) }
            let moved = "http://\(storage.address)" + request.path.replacing("/v2", with: "/storage")
            return OddServer.Answer(status: 307, headers: ["Location": moved])
        }
        place.withLock { $0 = server.address }
        let result = try pull(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(!storage.requests.isEmpty)
        for request in storage.requests { #expect(request.headers["authorization"] == nil) }
        #expect(server.requests.count { $0.path == "/token" } < 4)
    }

    @Test func `that is refused for ever ends`() throws {
        let place = Mutex("")
        let server = try OddServer { request in
            if request.path == "/token" { return OddServer.Answer(body: Array(#"{"token": "t"}"#.utf8)) }
            let realm = "http://\(place.withLock { $0 })/token"
            return OddServer.Answer(status: 401, headers: ["WWW-Authenticate": #"Bearer realm="\#(realm)""#])
        }
        place.withLock { $0 = server.address }
        let result = try pull(server)
        #expect(result.status == 1)
        #expect(result.error.contains("refuses team/app"), "\(result.error)")
        #expect(server.requests.count < 8)
    }

    @Test func `refuses a blob with another content`() throws {
        let right = right
        try expectRefusal("the blob is") { request in
            var answer = right.answer(request)
            if right.isLayer(request), let last = answer.body.indices.last, request.headers["range"] == nil {
                // The size that a gzip says at its end stays what it is: only the digest tells.
                answer.body[min(9, last)] ^= 1
            }
            return answer
        }
    }

    @Test func `refuses a blob that is longer than it says`() throws {
        let right = right
        try expectRefusal("bytes for a blob of") { request in
            var answer = right.answer(request)
            if right.isLayer(request) { answer.body += [0] }
            return answer
        }
        let mica = try PullFixture()
        let endless = try OddServer { request in
            var answer = right.answer(request)
            answer.isEndless = right.isLayer(request)
            return answer
        }
        let result = try withExtendedLifetime(endless) { try mica("pull", name(endless)) }
        #expect(result.status == 1 && result.error.contains("more than the"), "\(result.error)")
    }

    @Test func `refuses a blob that never gets longer`() throws {
        let right = right
        try expectRefusal("5 times") { request in
            var answer = right.answer(request)
            if right.isLayer(request) {
                answer.length = answer.body.count
                answer.cut = max(answer.body.count - 10, 0)
            }
            return answer
        }
    }

    @Test func `refuses a manifest that never ends`() throws {
        try expectRefusal("is longer than") { _ in
            OddServer.Answer(body: [UInt8](repeating: 0x20, count: 65536), isEndless: true)
        }
    }

    @Test func `refuses a manifest that is none`() throws {
        for body in ["", "{}", "[]", "<html>", #"{"schemaVersion": 1, "fsLayers": []}"#] {
            let server = try OddServer { _ in OddServer.Answer(body: Array(body.utf8)) }
            let result = try pull(server)
            #expect(result.status == 1, "\(body)")
            #expect(result.error.hasPrefix("mica: "), "\(result.error)")
        }
        #expect(try mica.images() == "")
    }

    @Test func `refuses what is not what its digest says`() throws {
        let right = right
        let server = try OddServer { request in
            var answer = right.answer(request)
            answer.body += [0x20]
            return answer
        }
        let result = try withExtendedLifetime(server) {
            try mica("pull", "\(server.address)/\(RightRegistry.path)@\(right.manifest.digest)")
        }
        #expect(result.status == 1)
        #expect(result.error.contains("the registry sent sha256:"), "\(result.error)")
    }

    @Test func `gives up on one that stalls`() throws {
        let right = right
        try expectRefusal("5 times", silence: "3") { request in
            var answer = right.answer(request)
            if right.isLayer(request), answer.body.count > 100_000 {
                answer.length = answer.body.count
                answer.cut = 0
                answer.stalls = true
            }
            return answer
        }
    }

    @Test func `tells its password to nobody that the registry only redirects to`() throws {
        let right = right
        let place = Mutex("")
        let other = try OddServer { request in
            let realm = "http://\(place.withLock { $0 })/evil"
            return OddServer.Answer(
                status: 401,
                headers: ["WWW-Authenticate": #"Bearer realm="\#(realm)",service="x""#]
            )
        }
        place.withLock { $0 = other.address }
        let server = try OddServer { request in
            guard right.isLayer(request) else { return right.answer(request) }
            return OddServer.Answer(status: 307, headers: ["Location": "http://\(other.address)/blob"])
        }
        var mica = mica
        let auth = Data("user:secret".utf8).base64EncodedString()
        let entry = #"{"auth": "\#(auth)"}"#
        try mica.directory.write(
            "auth/config.json",
            Array(#"{"auths": {"\#(server.address)": \#(entry), "odd": {"auth": 5}}}"#.utf8)
        )
        mica.environment["DOCKER_CONFIG"] = mica.directory.path.appending("auth").string
        let result = try withExtendedLifetime((server, other)) { try mica("pull", name(server)) }
        #expect(result.status == 1)
        #expect(!other.requests.isEmpty)
        #expect(other.requests.allSatisfy { $0.path == "/blob" && $0.headers["authorization"] == nil })
    }

    @Test func `waits a number of seconds, and not what is none`() throws {
        let right = right
        let count = Atomic(0)
        let server = try OddServer { request in
            count.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue < 3
                ? OddServer.Answer(status: 503, headers: ["Retry-After": "nan"]) : right.answer(request)
        }
        let result = try pull(server)
        #expect(result.status == 0, "\(result.error)")
    }

    @Test func `begins a blob anew where the registry gives no parts`() throws {
        let right = right
        let count = Atomic(0)
        let server = try OddServer { request in
            var answer = right.answer(request)
            guard right.isLayer(request), answer.body.count > 1000 else { return answer }
            if request.headers["range"] != nil { return OddServer.Answer(status: 416) }
            switch count.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue {
            case 1:
                answer.length = answer.body.count
                answer.cut = 100_000
            default: break
            }
            return answer
        }
        let result = try pull(server)
        #expect(result.status == 0, "\(result.error)")
    }

    @Test func `takes no page that somebody puts in the way for a blob`() throws {
        let right = right
        try expectRefusal("bytes for a blob of") { request in
            guard right.isLayer(request) else { return right.answer(request) }
            return OddServer.Answer(body: Array("<html>sign in first</html>".utf8))
        }
    }

    @Test func `has a few connections at a time, however many layers there are`() throws {
        let layers = try (0..<20).map { try ArchiveFixture.layer(["file\($0)": "\($0)"]) }
        let many = try RightRegistry(layers)
        let now = Atomic(0)
        let most = Atomic(0)
        let server = try OddServer { request in
            let count = now.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
            most.max(count, ordering: .sequentiallyConsistent)
            usleep(20_000)
            now.wrappingSubtract(1, ordering: .sequentiallyConsistent)
            return many.answer(request)
        }
        let result = try pull(server)
        #expect(result.status == 0, "\(result.error)")
        #expect(most.load(ordering: .sequentiallyConsistent) <= 4)
    }

    @Test func `is refused where the only image is for another platform`() throws {
        let right = right
        let server = try OddServer { right.answer($0) }
        let result = try withExtendedLifetime(server) {
            try mica("pull", "--platform", "linux/s390x", name(server))
        }
        #expect(result.status == 1)
        #expect(result.error.contains("not for linux/s390x"), "\(result.error)")
    }
}
