import Digests
import Foundation
import Layers
import Linux
import MountFixtures
import Snapshots
import SystemPackage
import Testing

import Glibc

/// Two at a time who serve snapshots are killed at random moments, again and again.
@Suite(.timeLimit(.minutes(40))) struct `A store whose clients are killed while they serve snapshots` {
    private let test: TestStore

    init() throws { test = try TestStore() }

    @Test(arguments: Seeds.few(2))
    func `has all that they reported, nothing by halves, and goes on`(_ seed: UInt64) throws {
        let program = try #require(StoreClient.program)
        var random = SeededGenerator(seed: seed)
        var reported = Reported()
        for round in 0..<12 {
            let clients = try ["one", "two"].map {
                try StoreClient(program, test.layout.root, "\($0)\(round)", seed: random.next())
            }
            // They are under way, both of them: what they do from here on is where the kill comes.
            for client in clients {
                let count = Int.random(in: 1...12, using: &random)
                try #require(client.wait(forLines: count), "\(client.complaint)")
            }
            for client in clients {
                usleep(UInt32.random(in: 0..<60_000, using: &random))
                client.kill()
            }
            for client in clients {
                let lines = client.lines()
                #expect(client.complaint == "", "seed \(seed), round \(round)")
                reported.add(lines)
            }
            try check(reported, "seed \(seed), round \(round)")
        }
        let store = try test.reopened()
        #expect(try #require(try store.collect()).problems == [])
        for lease in try store.leases() { try store.removeLease(lease.id) }
        #expect(try #require(try store.collect()).problems == [])
        try test.expectClean("seed \(seed)", store)
        try check(reported, "seed \(seed), at the end")
        #expect(reported.committed.count > 2 && !reported.images.isEmpty)
    }

    private func check(_ reported: Reported, _ comment: Comment) throws {
        let store = try test.reopened()
        try test.expectWhole(comment, store)
        #expect(try StoreCheck.run(test.layout, isDeep: true, repairs: false) == [], comment)
        let space = SnapshotSpace(.containerd, of: store)
        let there = Dictionary(uniqueKeysWithValues: try space.snapshots().map { ($0.key, $0) })
        for (name, layer) in reported.committed where !reported.going.contains(name) {
            #expect(there[name]?.kind == .committed && there[name]?.layer?.hex == layer, comment)
            #expect(there[name]?.layers.isEmpty == false, comment)
        }
        for name in reported.removed { #expect(there[name] == nil, comment) }
        for (key, layer) in reported.applied {
            // It may have been committed since, without a report.
            guard let record = there[key] else { continue }
            #expect(record.kind == .active && record.layer?.hex == layer, comment)
        }
        for (name, layer) in reported.images {
            let image = try store.image(named: name)
            #expect(image.layers.map(\.hex) == [layer], comment)
            #expect(try store.documents(of: image.id).count == 1, comment)
            #expect(try store.blobs(of: image.layers[0]).contains { $0.isVerified }, comment)
        }
        // Nothing is there twice: a key is active, or committed under its other name.
        for key in there.keys where key.hasSuffix("/key") && there[key]?.kind == .active {
            #expect(there[key.replacing("key", with: "committed")] == nil, comment)
        }
    }

    /// What clients have said.
    private struct Reported {
        var committed: [String: String] = [:]
        var applied: [String: String] = [:]
        var images: [String: String] = [:]
        /// It was about to be removed: it may be there or not.
        var going: Set<String> = []
        var removed: Set<String> = []

        mutating func add(_ lines: [[String]]) {
            for words in lines {
                switch (words.first, words.count) {
                case ("committed", 3): committed[words[1]] = words[2]
                case ("applied", 3): applied[words[1]] = words[2]
                case ("image", 3): images[words[1]] = words[2]
                case ("removing", 2): going.insert(words[1])
                case ("removed", 2): removed.insert(words[1])
                default: break
                }
            }
        }
    }
}

/// The program `StoreClient` (Tests/StoreClient), and what it has said.
private final class StoreClient {
    /// Beside the tests, where the build puts it.
    static let program: FilePath? = MicaProgram.beside("StoreClient")

    private let process = Process()
    private let output: FilePath
    private let errors: FilePath

    init(_ program: FilePath, _ root: FilePath, _ name: String, seed: UInt64) throws {
        let base = root.removingLastComponent()
        (output, errors) = (base.appending("\(name).out"), base.appending("\(name).err"))
        process.executableURL = URL(fileURLWithPath: program.string)
        process.arguments = [root.string, name, "\(seed)"]
        // Files: what was written before a kill is there, and no process waits for a reader.
        process.standardOutput = try StoreClient.file(output)
        process.standardError = try StoreClient.file(errors)
        try process.run()
    }

    deinit { kill() }

    private static func file(_ path: FilePath) throws -> FileHandle {
        let fd = try OwnedFD.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        return FileHandle(fileDescriptor: fd.release(), closeOnDealloc: true)
    }

    /// false: it ended with fewer.
    func wait(forLines count: Int) -> Bool {
        while lines().count < count {
            guard process.isRunning else { return false }
            usleep(2000)
        }
        return true
    }

    func kill() {
        guard process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Whole ones, in words.
    func lines() -> [[String]] {
        let bytes = (try? OwnedFD.open(output, O_RDONLY).contents(limit: 1 << 24)) ?? []
        let text = String(decoding: bytes, as: UTF8.self)
        let whole = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        return whole.map { $0.split(separator: " ").map(String.init) }
    }

    var complaint: String {
        String(decoding: (try? OwnedFD.open(errors, O_RDONLY).contents(limit: 1 << 16)) ?? [], as: UTF8.self)
    }
}
