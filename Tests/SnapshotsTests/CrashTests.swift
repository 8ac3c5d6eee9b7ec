import Digests
import Foundation
import Layers
import Linux
import MountFixtures
import Snapshots
import SystemPackage
import Testing

import Glibc

/// The program is killed at random points, and what is recorded must be whole.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaProgram.path != nil, "needs the mica program beside the tests")
)
struct `A store whose programs are killed` {
    @Test(arguments: Seeds.few(3))
    func `is whole, and the next collection cleans up`(_ seed: UInt64) throws {
        let mica = try #require(MicaProgram.path)
        let test = try TestStore()
        var random = SeededGenerator(seed: seed)
        let base = try test.image(
            [["large": `The collector`.large, "d/a": "1"], ["d/b": "2"]],
            named: ["base"]
        )
        let files = try test.chain(base.layers)
        // One more to be loaded and removed, again and again.
        try test.image(
            [
                ["large": `The collector`.large, "d/a": "1"], ["d/b": "2"],
                ["extra": `The collector`.large + "extra"],
            ],
            named: ["extra"]
        )
        let archive = test.base.appending("extra.tar")
        let save = try MicaProgram.start(
            mica,
            ["save", "-o", archive.string, "extra"],
            root: test.layout.root
        )
        save.waitUntilExit()
        #expect(save.terminationStatus == 0)
        try test.store.prepare("work", parent: test.store.topSnapshot(of: base.id))
        var whole: [Int] = []
        for round in 0..<40 {
            try test.write("work", "round", "\(round)")
            try test.write("work", "objects/\(round)", `The collector`.large + "\(round)")
            let commands: [[String]] = [
                ["commit", "work", "round\(round)"],
                ["snapshot", "prepare", "p\(round)", "base"],
                ["snapshot", "commit", "s\(round)", "p\(round - 1)"],
                ["snapshot", "rm", "s\(round - 2)"],
                ["load", "-i", archive.string],
                ["rmi", "extra"],
                ["gc"],
            ]
            let running = try commands.filter { _ in Bool.random(using: &random) }.map {
                try MicaProgram.start(mica, $0, root: test.layout.root)
            }
            for process in running {
                usleep(UInt32.random(in: 0..<25_000, using: &random))
                if Int.random(in: 0..<4, using: &random) > 0 {
                    kill(process.processIdentifier, SIGKILL)
                } else if process.arguments == commands[0] {
                    whole.append(round)
                }
            }
            for process in running { process.waitUntilExit() }
            try check(test, base: files, "seed \(seed), round \(round)")
        }
        let store = try test.reopened()
        // What a load that was killed had kept for the next one.
        for lease in try store.leases() { try store.removeLease(lease.id) }
        #expect(try #require(try store.collect()).problems == [])
        try test.expectClean("seed \(seed)", store)
        try check(test, base: files, "seed \(seed), at the end")
        // Those that were not killed got through.
        let made = try store.images().flatMap(\.tags)
        #expect(!whole.isEmpty)
        for round in whole { #expect(made.contains("docker.io/library/round\(round):latest")) }
    }

    private func check(_ test: TestStore, base: [String: TreeEntry], _ comment: Comment) throws {
        let store = try test.reopened()
        try test.expectWhole(comment, store)
        for image in try store.images() {
            let tree = try test.chain(image.layers)
            #expect(
                differences(
                    base.filter { !$0.key.isEmpty },
                    tree.filter { base[$0.key] != nil && !$0.key.isEmpty }
                ) == [],
                comment
            )
            guard let tag = image.tags.first, let range = tag.range(of: "round") else { continue }
            let round = tag[range.upperBound...].prefix { $0.isNumber }
            #expect(tree["round"]?.content == "\(SHA256.digest(of: Array(round.utf8)))", comment)
        }
    }
}

enum MicaProgram {
    /// Beside the tests, where the build puts it.
    static let path: FilePath? = beside("mica")

    static func beside(_ name: FilePath.Component) -> FilePath? {
        guard let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            return nil
        }
        let candidates = [FilePath(own)] + CommandLine.arguments.map { FilePath($0) }
        return candidates.map { $0.removingLastComponent().appending(name) }.first {
            access($0.string, X_OK) == 0
        }
    }

    static func start(_ program: FilePath, _ arguments: [String], root: FilePath) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program.string)
        process.arguments = arguments
        process.environment = ["MICA_ROOT": root.string]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }
}
