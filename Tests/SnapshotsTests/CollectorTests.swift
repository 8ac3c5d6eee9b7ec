import Digests
import Foundation
import Layers
import Linux
import MountFixtures
import Snapshots
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `The collector` {
    static let large = String(repeating: "large enough for an object of its own ", count: 4_000)

    @Test func `does not sweep while a mount is being recorded`() throws {
        let test = try TestStore()
        let store = test.store
        let sweeping = try FileLock(test.layout.lock, .exclusive)
        let thread = try WorkerThread(stackSize: 1 << 20) {
            _ = try? store.addMount(of: nil, source: "s", at: "/nowhere")
        }
        usleep(100_000)
        try #expect(store.mounts().isEmpty)
        _ = consume sweeping
        thread.join()
        try #expect(store.mounts().count == 1)
    }

    @Test func `frees what a removed image had for itself, and only that`() throws {
        let test = try TestStore()
        let shared = ["base": "1", "large": Self.large]
        let kept = try test.image([shared, ["kept": "2"]], named: ["kept"])
        try test.image([shared, ["gone": "3", "other": Self.large + "!"]], named: ["gone"])
        #expect(try test.store.collect()?.bytes == 0)
        _ = try test.store.removeImage(named: "gone", force: false)

        let plan = try #require(try test.store.collect(dryRun: true))
        #expect(plan.removed["layers"] == 1 && plan.removed["objects"] == 1 && plan.bytes > 100_000)
        #expect(try test.layout.layers.names().count == 3)
        let done = try #require(try test.store.collect())
        #expect(done.bytes == plan.bytes && done.removed == plan.removed && done.verdicts == plan.verdicts)
        #expect(done.problems == [])
        try test.expectClean("after", test.store)
        try test.expectWhole("after", test.store)
        #expect(try test.chain(kept.layers).keys.sorted() == ["", "base", "kept", "large"])
        #expect(try test.store.collect()?.removed == [:])
    }

    @Test func `keeps what a snapshot, a container, a mount or a lease needs`() throws {
        let test = try TestStore()
        let store = test.store
        let images = try ["snapshot", "view", "mount", "lease"].map {
            try test.image([["f": $0]], named: [$0])
        }
        let tops = try images.map { try #require(try store.topSnapshot(of: $0.id)) }
        try store.prepare("k", parent: tops[0])
        try store.view("v", parent: tops[1])
        let mount = try store.addMount(of: tops[2], source: "mount", at: "/x")
        try store.lease("l", expires: nil, holding: [tops[3]])
        for image in images { _ = try store.removeImage(named: image.id.hex, force: true) }
        #expect(try store.collect()?.removed["layers"] == nil)
        try test.expectWhole("held", store)
        #expect(try store.snapshots().count == 6)

        try store.remove("k")
        try store.remove("v")
        try store.removeMount(mount.record.id)
        _ = consume mount
        try store.removeLease("l")
        #expect(try store.collect()?.removed["layers"] == 4)
        #expect(try store.snapshots().isEmpty)
        try test.expectClean("released", store)
    }

    @Test func `prunes mounts that are gone, with the views that were theirs, and leases that expired`()
        throws
    {
        let test = try TestStore()
        let store = test.store
        try store.view("v", parent: nil)
        do {
            let mount = try store.addMount(of: "v", owning: true, source: "v", at: "/x")
            #expect(try store.collect()?.verdicts.contains { $0.kind == .mount } == false)
            _ = consume mount
        }
        try store.lease("old", expires: 1, holding: ["v"])
        let collection = try #require(try store.collect())
        #expect(collection.verdicts.filter { !$0.lives }.map(\.kind) == [.mount, .lease])
        #expect(try store.snapshots().isEmpty && store.mounts().isEmpty && store.leases().isEmpty)
        #expect(try test.layout.mounts.names().isEmpty)
    }

    @Test func `says of everything why it stays or goes`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"]], named: ["x"])
        let gone = try test.image([["b": "1"]])
        let box = try test.container("box", of: image)
        _ = try test.store.removeImage(named: gone.id.hex, force: false)
        let verdicts = try #require(try test.store.collect(dryRun: true)).verdicts
        func reason(_ name: String) -> String? {
            verdicts.first { $0.name == name }.map { "\($0.lives ? "stays" : "goes"): \($0.reason)" }
        }
        #expect(reason("\(image.id)") == "stays: named docker.io/library/x:latest")
        #expect(reason(box.snapshot) == "stays: container box")
        #expect(verdicts.first { $0.kind == .layer && $0.name == "\(gone.layers[0])" }?.lives == false)
        #expect(verdicts.first { $0.kind == .layer && $0.name == "\(image.layers[0])" }?.lives == true)
    }

    @Test func `leaves no half of a layer where a whole one is to come`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1", "b": `The collector`.large]], named: ["x"])
        let layer = try #require(image.layers.first)
        _ = try test.store.removeImage(named: "x", force: false)
        // One that does not go: the removal ends in its middle.
        let stuck = test.layout.layer(layer).appending("stuck")
        try stuck.makeDirectory()
        try shell("chattr +i .", in: stuck)
        let collection = try #require(try test.store.collect())
        #expect(!collection.problems.isEmpty)
        #expect(!test.layout.layer(layer).exists)
        try shell("chattr -i tmp/*/stuck || chattr -i layers/*/stuck", in: test.layout.root)
        try test.image([["a": "1", "b": `The collector`.large]], named: ["x"])
        try test.expectWhole("loaded again", test.store)
        try #require(try test.store.collect()).problems.forEach { Issue.record("\($0)") }
        try test.expectClean("at the end", test.store)
    }

    @Test func `frees no object while a live layer's index can't be read`() throws {
        let test = try TestStore()
        let image = try test.image([["large": Self.large]], named: ["x"])
        try test.image([["other": Self.large + "?"]], named: ["y"])
        _ = try test.store.removeImage(named: "y", force: false)
        let index = test.layout.layer(image.layers[0]).appending("index")
        let saved = try Data(contentsOf: URL(fileURLWithPath: index.string))
        try index.unlink()
        try saved.dropLast(1).write(to: URL(fileURLWithPath: index.string))
        let collection = try #require(try test.store.collect())
        #expect(collection.problems.count == 1)
        #expect(collection.removed["objects"] == nil && collection.removed["layers"] == 1)
        try saved.write(to: URL(fileURLWithPath: index.string))
        #expect(try test.store.collect()?.removed["objects"] == 1)
        try test.expectWhole("repaired", test.store)
    }

    @Test func `waits for whoever is staging, or goes away`() throws {
        let test = try TestStore()
        let lock = try test.store.lockForChange()
        let staged = try test.layout.staging("load")
        #expect(try test.store.collect(waiting: false) == nil)
        // Nor does another process's start take it away.
        _ = try Store.open(test.layout)
        #expect(staged.exists)
        _ = consume lock
        _ = try Store.open(test.layout)
        #expect(!staged.exists)
    }

    @Test(arguments: 1...6)
    func `takes nothing that lives and leaves nothing that doesn't`(_ seed: UInt64) throws {
        let test = try TestStore()
        var random = SeededGenerator(seed: seed)
        var model = Model(test)
        for step in 0..<120 {
            let what = try model.step(&random)
            guard step % 6 == 5 || what == "collect" else { continue }
            _ = try #require(try test.store.collect()).problems.map { Issue.record("\($0)") }
            try test.expectClean("seed \(seed), step \(step)", test.store)
            try model.expectContents("seed \(seed), step \(step)")
        }
    }

    /// What the store should hold.
    private struct Model {
        let test: TestStore
        var images: [String: (layers: [Digest], files: [String: String])] = [:]
        var active: [String] = []
        var committed: [String] = []
        var containers: [String] = []
        var mounts: [Held] = []
        var counter = 0

        /// A mount whose lock is held for as long as this is.
        final class Held {
            let mount: NewMount
            init(_ mount: consuming NewMount) { self.mount = mount }
        }

        init(_ test: TestStore) { self.test = test }

        mutating func step(_ random: inout SeededGenerator) throws -> String {
            counter += 1
            let store = test.store
            switch Int.random(in: 0..<12, using: &random) {
            case 0, 1:
                var layers: [[String: String]] = []
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let number = Int.random(in: 0..<6, using: &random)
                    layers.append([
                        "f\(number)": "\(number)", "large\(number)": `The collector`.large + "\(number % 3)",
                    ])
                }
                let files = layers.reduce(into: [:]) { $0.merge($1) { $1 } }
                let name = "i\(counter)"
                images[name] = (try test.image(layers, named: [name], note: name).layers, files)
            case 2, 3:
                guard let name = images.keys.sorted().randomElement(using: &random) else { break }
                do {
                    _ = try store.removeImage(named: name, force: false)
                    images[name] = nil
                } catch let failure as Failure where failure.kind == .failedPrecondition {}
            case 4, 5:
                let parents = try store.snapshots().filter { $0.kind == .committed }.map(\.key) + [nil]
                let key = "k\(counter)"
                try store.prepare(key, parent: parents.randomElement(using: &random) ?? nil)
                try test.write(key, "w\(counter)", `The collector`.large + key)
                active.append(key)
            case 6:
                guard let key = active.randomElement(using: &random) else { break }
                active.removeAll { $0 == key }
                try store.commit(name: "c\(counter)", key: key)
                committed.append("c\(counter)")
            case 7:
                guard let key = (active + committed).randomElement(using: &random) else { break }
                do {
                    try store.remove(key)
                    active.removeAll { $0 == key }
                    committed.removeAll { $0 == key }
                } catch let failure as Failure where failure.kind == .failedPrecondition {}
            case 8:
                guard let name = images.keys.sorted().randomElement(using: &random) else { break }
                containers.append(try test.container("c\(counter)", of: store.image(named: name)).id)
            case 9:
                guard let id = containers.randomElement(using: &random) else { break }
                containers.removeAll { $0 == id }
                try store.removeContainer(id)
            case 10:
                guard let name = images.keys.sorted().randomElement(using: &random) else { break }
                let top = try store.topSnapshot(of: store.image(named: name).id)
                mounts.append(Held(try store.addMount(of: top, source: name, at: FilePath("/m\(counter)"))))
            default:
                if !mounts.isEmpty { mounts.removeFirst() }
                return "collect"
            }
            return ""
        }

        func expectContents(_ comment: Comment) throws {
            let store = try test.reopened()
            try test.expectWhole(comment, store)
            #expect(
                Set(try store.images().flatMap(\.tags))
                    == Set(images.keys.map { "docker.io/library/\($0):latest" })
            )
            for (name, image) in images {
                let tree = try test.chain(image.layers)
                for (path, content) in image.files {
                    #expect(
                        tree[path]?.content == "\(SHA256.digest(of: Array(content.utf8)))",
                        "\(name) \(path)"
                    )
                }
            }
            let keys = Set(try store.snapshots().map(\.key))
            #expect(keys.isSuperset(of: active + committed + containers), comment)
        }
    }
}
