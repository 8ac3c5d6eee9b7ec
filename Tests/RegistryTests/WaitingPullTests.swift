import Foundation
import Glibc
import ImageFixtures
import Linux
import OCI
import SystemPackage
import Testing

/// A registry that is slow holds up its pull, and nothing else.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `A pull that waits for its registry` {
    private let mica: PullFixture
    private let latch = Latch()
    /// What another image has, too: an object of its own in the store.
    private let shared: String
    private let right: RightRegistry

    init() throws {
        mica = try PullFixture()
        shared = PullFixture.noise(count: 20_000)
        // Not compressed, because what is compressed and small is imported when all of it has come.
        right = try RightRegistry(
            [
                ArchiveFixture.layer(["lower": "small"]),
                // More than what is read ahead of the import.
                ArchiveFixture.layer(["a": shared, "b": String(repeating: shared, count: 64)]),
            ],
            compress: false
        )
    }

    /// Stops in the second half of the upper layer until the latch is open.
    private func server() throws -> OddServer {
        let (right, wait) = (right, latch.wait)
        return try OddServer { request in
            var answer = right.answer(request)
            if request.path.hasSuffix("/blobs/\(right.layers[1].digest)") {
                answer.pause = answer.body.count / 2
                answer.resumed = wait
            }
            return answer
        }
    }

    private func archive(_ layer: [UInt8], named name: String) throws -> String {
        var fixture = ArchiveFixture()
        let image = try fixture.addImage([layer], annotations: [Annotation.refName: name])
        try fixture.addIndex([image])
        try mica.directory.write("\(name).tar", try fixture.tar())
        return mica.directory.path.appending("\(name).tar").string
    }

    /// Objects of layers that are being read.
    private var stagedObjects: Int {
        let tmp = mica.store.appending("tmp")
        return ((try? tmp.names()) ?? []).reduce(0) { count, name in
            let objects = tmp.appending(String(decoding: name, as: UTF8.self)).appending("objects")
            return count + ((try? objects.names()) ?? []).count
        }
    }

    @Test func `keeps no collection from its work, and loses nothing by it`() throws {
        // Its layer has an object that the pull finds in the store, and that goes while the pull waits.
        let other = try archive(ArchiveFixture.layer(["other": shared]), named: "other")
        #expect(try mica("load", "-i", other, "-t", "other").status == 0)
        let server = try server()
        let name = "\(server.address)/\(RightRegistry.path):v1"
        let pull = try mica.process(["pull", name])
        let output = Foundation.Pipe()
        pull.standardError = output
        try pull.run()
        for _ in 0..<6000 where stagedObjects == 0 && pull.isRunning { usleep(20_000) }
        #expect(stagedObjects > 0)

        #expect(try mica("rmi", "other").status == 0)
        #expect(try mica("gc").status == 0)
        #expect(stagedObjects > 0)
        #expect(!mica.arrivals.isEmpty)
        let loaded = try mica("load", "-i", other, "-t", "again")
        #expect(loaded.status == 0, "\(loaded.error)")
        #expect(try mica("import", other, "imported").status == 0)
        #expect(try mica("rmi", "again").status == 0)
        #expect(try mica("gc").status == 0)
        #expect(pull.isRunning)

        latch.open()
        let errors = output.fileHandleForReading.readDataToEndOfFile()
        pull.waitUntilExit()
        #expect(pull.terminationStatus == 0, "\(String(decoding: errors, as: UTF8.self))")
        #expect(mica.arrivals == [])
        #expect(server.requests.filter { right.isLayer($0) }.count == 2)
        #expect(try mica("rmi", "imported").status == 0)
        #expect(try mica("gc").status == 0)
        let checked = try mica("fsck", "--deep")
        #expect(checked.status == 0, "\(checked.output)\(checked.error)")
        #expect(try !mica("gc", "--explain").output.contains("lease"))
        #expect(try mica("save", "-o", mica.directory.path.appending("saved.tar").string, name).status == 0)
    }

    @Test func `has another one of the same image beside it, and both get it`() throws {
        let server = try server()
        let name = "\(server.address)/\(RightRegistry.path):v1"
        let pulls = try (0..<2).map { _ in
            let pull = try mica.process(["pull", "-q", name])
            pull.standardOutput = FileHandle.nullDevice
            try pull.run()
            return pull
        }
        let upper = "/blobs/\(right.layers[1].digest)"
        for _ in 0..<30_000 where server.requests.count(where: { $0.path.hasSuffix(upper) }) < 2 {
            usleep(20_000)
        }
        #expect(server.requests.count { $0.path.hasSuffix(upper) } == 2)
        latch.open()
        for pull in pulls {
            pull.waitUntilExit()
            #expect(pull.terminationStatus == 0)
        }
        #expect(mica.arrivals == [])
        #expect(try mica.store.appending("tmp").names().isEmpty)
        #expect(try mica("fsck", "--deep").status == 0)
        #expect(try !mica("gc", "--explain").output.contains("lease"))
    }

    @Test func `leaves to a collection what it had, once it was killed`() throws {
        let server = try server()
        let pull = try mica.process(["pull", "\(server.address)/\(RightRegistry.path):v1"])
        pull.standardError = FileHandle.nullDevice
        try pull.run()
        for _ in 0..<6000 where stagedObjects == 0 && pull.isRunning { usleep(20_000) }
        #expect(stagedObjects > 0)
        kill(pull.processIdentifier, SIGKILL)
        pull.waitUntilExit()
        // What a process has locked stays so until it is gone, and the one that it started ends a little later.
        for _ in 0..<30_000 where !mica.arrivals.isEmpty || stagedObjects > 0 {
            #expect(try mica("gc").status == 0)
        }
        #expect(mica.arrivals == [])
        #expect(try mica.store.appending("tmp").names().isEmpty)
    }
}

/// An archive that comes slowly holds up its load.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `A load that waits for its archive` {
    @Test func `keeps no collection from its work`() throws {
        let mica = try PullFixture()
        var fixture = ArchiveFixture()
        let layer = try ArchiveFixture.layer(["a": PullFixture.noise(count: 100_000)])
        try fixture.addIndex([try fixture.addImage([layer])])
        let archive = try fixture.tar()
        let load = try mica.process(["load", "-q", "-t", "slow"])
        let input = Foundation.Pipe()
        load.standardInput = input
        load.standardOutput = FileHandle.nullDevice
        try load.run()
        // More than a pipe holds: it is being read when this has been written.
        input.fileHandleForWriting.write(Data(archive[..<(512 << 10)]))
        #expect(try mica("gc").status == 0)
        #expect(load.isRunning)
        input.fileHandleForWriting.write(Data(archive[(512 << 10)...]))
        try input.fileHandleForWriting.close()
        load.waitUntilExit()
        #expect(load.terminationStatus == 0)
        #expect(try mica("inspect", "slow").status == 0)
        #expect(try mica("fsck", "--deep").status == 0)
    }
}

extension PullFixture {
    /// `count` words that gzip makes little smaller.
    static func noise(count: Int) -> String {
        var random = SystemRandomNumberGenerator()
        return (0..<count).map { _ in String(random.next(), radix: 36) }.joined()
    }
}
