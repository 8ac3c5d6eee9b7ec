import Foundation
import Glibc
import ImageFixtures
import Linux
import OCI
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(20)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `A pull that was broken off` {
    private let mica: PullFixture
    private let right: RightRegistry

    init() throws {
        mica = try PullFixture()
        right = try RightRegistry([
            ArchiveFixture.layer(["lower": "small"]), ArchiveFixture.layer(["upper": "as small"]),
        ])
    }

    /// Gives the lower layer, and of the upper one nothing.
    private func server() throws -> OddServer {
        let right = right
        return try OddServer { request in
            var answer = right.answer(request)
            if request.path.hasSuffix("/blobs/\(right.layers[1].digest)") {
                answer.length = answer.body.count
                answer.cut = 0
                answer.stalls = true
            }
            return answer
        }
    }

    /// How many durable changes the store's database has had: see StoreGeneration.
    private var generation: UInt64 {
        let bytes =
            (try? OwnedFD.open(mica.store.appending("generation"), O_RDONLY).contents(limit: 64)) ?? []
        guard bytes.count == 24 else { return 0 }
        return bytes.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }

    private func name(_ server: OddServer) -> String { "\(server.address)/\(RightRegistry.path):v1" }

    /// Starts a pull, and kills it when the lower layer is recorded.
    private func breakOff() throws {
        var mica = mica
        mica.environment["MICA_REGISTRY_TIMEOUT"] = "600"
        let server = try server()
        let process = try mica.process(["pull", name(server)])
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<6000 where generation == 0 && process.isRunning { usleep(20_000) }
        #expect(generation > 0)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(try mica.images() == "")
    }

    private func pullAgain() throws -> [OddServer.Request] {
        let right = right
        let server = try OddServer { right.answer($0) }
        let result = try mica("pull", name(server))
        #expect(result.status == 0, "\(result.error)")
        #expect(mica.arrivals == [])
        return server.requests.filter { right.isLayer($0) }
    }

    @Test func `does not ask again for a layer that had come whole, whatever was collected meanwhile`() throws
    {
        try breakOff()
        let collected = try mica("gc", "--explain")
        #expect(
            collected.status == 0 && collected.output.contains("lease pull sha256:"),
            "\(collected.output)"
        )
        let asked = try pullAgain()
        #expect(asked.map(\.path) == ["/v2/\(RightRegistry.path)/blobs/\(right.layers[1].digest)"])
        // Nothing is held any more.
        #expect(try !mica("gc", "--explain").output.contains("lease"))
        #expect(
            try mica("rmi", "-f", mica.images().trimmingCharacters(in: .whitespacesAndNewlines)).status == 0
        )
        #expect(try mica("gc").status == 0)
        #expect(try mica.store.appending("layers").names().isEmpty)
        #expect(try mica("fsck").status == 0)
    }

    @Test(.enabled(if: geteuid() == 0, "mounts a small filesystem"))
    func `by a full disk keeps nothing there for a next time`() throws {
        try mica.store.makeDirectories(mode: 0o700)
        let path = mica.store.string
        try #require(mount("none", path, "tmpfs", UInt(MS_NOSUID), "size=16m,mode=700") == 0)
        defer { umount2(path, CInt(MNT_DETACH)) }
        let right = try RightRegistry([
            ArchiveFixture.layer(["lower": "small"]),
            ArchiveFixture.layer(["upper": String(repeating: "large", count: 8 << 20)]),
        ])
        let fixture = mica
        let server = try OddServer { request in
            // Only once the lower one is recorded.
            if request.path.hasSuffix("/blobs/\(right.layers[1].digest)") {
                for _ in 0..<6000 where !fixture.hasRecorded { usleep(20_000) }
            }
            return right.answer(request)
        }
        let result = try mica("pull", name(server))
        #expect(result.status != 0 && result.error.contains("No space left"), "\(result.error)")
        #expect(fixture.hasRecorded)
        let collected = try mica("gc", "--explain").output
        #expect(!collected.contains("lease pull"), "\(collected)\n\(result.error)")
        #expect(try mica.store.appending("layers").names().isEmpty)
    }
}

extension PullFixture {
    /// Whether the store's database has had a durable change: its generation is there (StoreGeneration).
    fileprivate var hasRecorded: Bool {
        ((try? OwnedFD.open(store.appending("generation"), O_RDONLY).contents(limit: 64)) ?? []).count == 24
    }
}
