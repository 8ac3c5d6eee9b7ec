import Digests
import Foundation
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage
import Tar
import Testing

import Glibc

@Suite(.timeLimit(.minutes(20))) struct `A space of snapshots` {
    private let test: TestStore
    private let space: SnapshotSpace

    init() throws {
        test = try TestStore()
        space = SnapshotSpace(.containerd, of: test.store)
    }

    @Test func `answers as containerd's interface says, to any keys`() throws {
        let (a, b) = ("k8s.io/1/a", "k8s.io/2/extract-12-x sha256:ü")
        try space.prepare(a, parent: nil, labels: ["containerd.io/snapshot/x": "1"])
        #expect(refusal { try space.prepare(a, parent: nil) } == .alreadyExists)
        #expect(refusal { try space.view(a, parent: nil) } == .alreadyExists)
        #expect(refusal { try space.prepare(b, parent: "missing") } == .notFound)
        #expect(refusal { try space.prepare(b, parent: a) } == .invalidArgument)
        #expect(refusal { try space.prepare("", parent: nil) } == .invalidArgument)
        #expect(refusal { try space.prepare("\0", parent: nil) } == .invalidArgument)
        let committed = try space.commit(a, as: b, labels: ["l": "2"])
        #expect(
            committed.kind == .committed && committed.labels == ["l": "2"] && committed.space == .containerd
        )
        #expect(committed.layer == committed.layers.last && committed.layers.count == 1)
        for name in [a, "missing"] {
            #expect(refusal { _ = try space.snapshot(name) } == .notFound)
            #expect(refusal { try space.commit(name, as: "d") } == .notFound)
            #expect(refusal { _ = try space.usage(name) } == .notFound)
            #expect(refusal { try space.remove(name) } == .notFound)
            #expect(refusal { try space.changeLabels(of: name) { _ in } } == .notFound)
            #expect(refusal { try space.export(name) { _ in } } == .notFound)
        }
        #expect(refusal { try space.commit(b, as: "d") } == .failedPrecondition)
        try space.view("v", parent: b)
        #expect(refusal { try space.commit("v", as: "d") } == .failedPrecondition)
        #expect(refusal { try space.export("v") { _ in } } == .failedPrecondition)
        try space.prepare("e", parent: b)
        #expect(refusal { try space.commit("e", as: b) } == .alreadyExists)
        #expect(refusal { try space.remove(b) } == .failedPrecondition)
        #expect(try space.snapshots().map(\.key) == [b, "v", "e"])
        #expect(
            try space.snapshots() == ["v", "e"].reduce([space.snapshot(b)]) { try $0 + [space.snapshot($1)] }
        )
        for key in ["v", "e", b] { try space.remove(key) }
        #expect(try space.snapshots().isEmpty && test.layout.snapshots.names().isEmpty)
    }

    @Test func `changes labels as they are, or not at all`() throws {
        let before = try space.prepare("a", parent: nil, labels: ["x": "1", "y": "2"])
        let after = try space.changeLabels(of: "a") {
            $0["x"] = nil; $0["z"] = "3"
        }
        #expect(after.labels == ["y": "2", "z": "3"])
        #expect(after.created == before.created && after.updated > before.updated)
        #expect(throws: Errno.self) {
            try space.changeLabels(of: "a") {
                $0 = [:]
                throw Errno.invalidArgument
            }
        }
        #expect(try SnapshotSpace(.containerd, of: test.reopened()).snapshot("a") == after)
    }

    @Test func `has its own keys, and neither sees nor touches those of another`() throws {
        let image = try test.image([["a": "1"], ["b": "2"]], named: ["x"])
        let top = try #require(try test.store.topSnapshot(of: image.id))
        let box = try test.container("box", of: image)
        try test.store.prepare("same", parent: top, labels: ["own": "1"])
        // Also a name that a container of mica's has, and a parent's that is an image's.
        for key in ["same", "box", box.id, "x"] {
            try space.prepare(key, parent: nil, labels: ["other": key])
        }
        #expect(refusal { try space.prepare("on", parent: top) } == .notFound)
        #expect(try space.commit("x", as: top).layers != image.layers)
        #expect(try test.store.snapshot(top).layers == image.layers)
        #expect(try test.store.snapshot("same").labels == ["own": "1"])
        #expect(try space.snapshot("same").labels == ["other": "same"])
        #expect(
            try Set(test.store.snapshots().map(\.key)) == [
                "same", box.id, top, "\(image.layers[0])",
            ]
        )
        try space.changeLabels(of: "same") { $0 = [:] }
        try space.remove("same")
        #expect(try test.store.snapshot("same").labels == ["own": "1"])
        #expect(refusal { _ = try test.store.snapshot("box") } == .notFound)
        try test.store.remove("same")
        #expect(try space.snapshots().map(\.key) == ["box", box.id, top])
        // A mount says whose snapshot it shows.
        let mount = try test.store.addMount(of: "box", in: .containerd, source: "s", at: "/x")
        #expect(try test.store.mounts().map(\.space) == [.containerd])
        #expect(refusal { try space.remove("box") } == .failedPrecondition)
        #expect(refusal { try space.commit("box", as: "c") } == .failedPrecondition)
        try test.store.removeMount(mount.record.id)
        _ = consume mount
        try space.remove("box")
    }

    @Test func `keeps what it has when mica's own goes, and the other way round`() throws {
        let image = try test.image([["large": `The collector`.large], ["b": "2"]], named: ["x"])
        let chains = ChainID.all(of: image.layers)
        try #require(try space.adopt(chain: chains[0], as: "one", parent: nil) != nil)
        try space.prepare("active", parent: "one", labels: [Store.startingLabel: ""])
        try test.store.view("v", parent: "\(chains[0])")
        _ = try test.store.removeImage(named: "x", force: false)
        let collection = try #require(try test.store.collect())
        #expect(collection.removed["layers"] == 1 && collection.removed["snapshots"] == nil)
        #expect(collection.verdicts.contains { $0.name == "containerd:active" && $0.lives })
        try test.store.removeUnstarted()
        #expect(try space.snapshots().map(\.key) == ["one", "active"])
        try test.expectWhole("without the image", test.store)
        #expect(try test.chain(space.snapshot("active").layers).keys.sorted() == ["", "large"])
        try test.store.remove("v")
        try test.store.collect()
        #expect(try test.store.snapshots().isEmpty && test.layout.layers.names().count == 1)
        // Now what is the other's only.
        try test.image([["large": `The collector`.large]], named: ["y"])
        try space.remove("active")
        try space.remove("one")
        #expect(try test.store.collect()?.removed["layers"] == nil)
        try test.expectWhole("without containerd's", test.store)
        try test.expectClean("without containerd's", test.store)
        #expect(try StoreCheck.run(test.layout, isDeep: true, repairs: false) == [])
    }

    @Test func `has a chain at once that the store has in any way`() throws {
        let image = try test.image([["a": "1"], ["b": "2"], ["c": "3"]], named: ["x"])
        let chains = ChainID.all(of: image.layers)
        for (number, chain) in chains.enumerated() {
            let parent = number == 0 ? nil : "\(number - 1)"
            let record = try #require(
                try space.adopt(chain: chain, as: "\(number)", parent: parent, labels: ["n": "\(number)"])
            )
            #expect(record.kind == .committed && record.layers == Array(image.layers[...number]))
            #expect(record.parent == parent && record.labels == ["n": "\(number)"])
        }
        // Layers that are there, in a stack that is not.
        let other = ChainID.adding(image.layers[2], to: chains[0])
        #expect(
            try space.adopt(chain: other, as: "other", parent: "0")?.layers == [
                image.layers[0], image.layers[2],
            ]
        )
        // Not on this parent, and not at all.
        #expect(try space.adopt(chain: chains[2], as: "no", parent: "0") == nil)
        #expect(try space.adopt(chain: chains[1], as: "no", parent: nil) == nil)
        #expect(try space.adopt(chain: SHA256.digest(of: [1]), as: "no", parent: "0") == nil)
        #expect(refusal { _ = try space.adopt(chain: chains[0], as: "other", parent: nil) } == .alreadyExists)
        #expect(refusal { _ = try space.adopt(chain: chains[1], as: "no", parent: "missing") } == .notFound)
        #expect(refusal { _ = try space.snapshot("no") } == .notFound)
        try test.expectWhole("adopted", test.store)
    }

    @Test func `takes a parent at the commit where there was none, also one that is younger`() throws {
        for (key, name) in [("k2", "upper"), ("k1", "lower")] {
            try space.prepare(key, parent: nil)
            let upper = try test.layout.snapshot(space.snapshot(key).id).appending("upper")
            try Data(name.utf8).write(to: URL(fileURLWithPath: upper.appending(name).string))
        }
        try space.commit("k1", as: "lower")
        let record = try space.commit("k2", as: "upper", parent: "lower")
        #expect(record.parent == "lower" && record.layers.count == 2)
        #expect(try space.snapshots().first == record)
        #expect(try test.chain(record.layers).keys.sorted() == ["", "lower", "upper"])
    }

    @Test func `tells what snapshots of all spaces a damaged layer is needed by`() throws {
        let image = try test.image([["a": "1"]], named: ["x"])
        _ = try space.adopt(chain: image.layers[0], as: "c", parent: nil)
        try test.layout.layer(image.layers[0]).appending("pack").unlink()
        let findings = try StoreCheck.run(test.layout, isDeep: true, repairs: false)
        #expect(findings.map(\.snapshots) == [["containerd:c"]])
        #expect(findings.map(\.images) == [["docker.io/library/x:latest"]])
    }
}
