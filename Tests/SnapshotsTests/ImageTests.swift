import Digests
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Images in the store` {
    @Test func `are found by name, by ID and by the beginning of the ID`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"]], named: ["one", "docker.io/library/two:x"])
        #expect(image.tags == ["docker.io/library/one:latest", "docker.io/library/two:x"])
        #expect(image.created == 1_709_208_000)
        for name in [
            "one", "one:latest", "docker.io/library/one", "library/one:latest", "two:x", image.id.hex,
            "\(image.id)", String(image.id.hex.prefix(12)), "sha256:\(image.id.hex.prefix(6))",
        ] {
            #expect(try test.store.image(named: name) == image, "\(name)")
        }
        for name in ["two", "three", String(image.id.hex.prefix(3)), "ONE", ""] {
            #expect(refusal { _ = try test.store.image(named: name) } == .notFound, "\(name)")
        }
    }

    @Test func `recorded twice are one, and a name belongs to one image`() throws {
        let test = try TestStore()
        let first = try test.image([["a": "1"]], named: ["x"])
        #expect(try test.image([["a": "1"]], named: ["x"]) == first)
        let second = try test.image([["a": "2"]], named: ["x"])
        #expect(try test.store.image(named: "x").id == second.id)
        #expect(try test.store.image(first.id)?.tags == [])
        #expect(try test.store.images().count == 2)
    }

    @Test func `are indexed once they are recorded, and again if the index has gone`() throws {
        let test = try TestStore()
        let chains = ChainStore(layout: test.layout)
        let image = try test.image([["a": "1"], ["b": "2"]], named: ["x"])
        #expect(chains.unverified(for: image.layers) != nil)
        // Not every prefix of the stack.
        #expect(try test.layout.chains.names().count == 1)
        try chains.path(for: image.layers).unlink()
        #expect(try test.image([["a": "1"], ["b": "2"]], named: ["x"]) == image)
        #expect(chains.unverified(for: image.layers) != nil)
        try test.store.prepare("k", parent: test.store.topSnapshot(of: image.id))
        try test.write("k", "new", "data")
        let made = try test.store.commit("k", as: "made")
        #expect(chains.unverified(for: made.layers) != nil)
        #expect(try test.layout.tmp.names().isEmpty)
    }

    @Test func `have every prefix of their layers as a committed snapshot`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"], ["b": "2"], ["c": "3"]])
        let chains = ChainID.all(of: image.layers).map { "\($0)" }
        let snapshots = try test.store.snapshots()
        #expect(snapshots.map(\.key) == chains)
        #expect(snapshots.map(\.parent) == [nil, chains[0], chains[1]])
        #expect(snapshots.map(\.layers.count) == [1, 2, 3])
        #expect(snapshots.allSatisfy { $0.kind == .committed })
        #expect(try test.store.topSnapshot(of: image.id) == chains[2])
        #expect(try test.store.hasLayer(image.layers[1]))
    }

    @Test func `go with their last name, and not before`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"]], named: ["x", "y"])
        #expect(
            try test.store.removeImage(named: "x", force: false)
                == Removal(of: image.id, untagged: ["docker.io/library/x:latest"])
        )
        #expect(
            try test.store.removeImage(named: "y", force: false)
                == Removal(of: image.id, untagged: ["docker.io/library/y:latest"], deleted: [image.id])
        )
        #expect(refusal { _ = try test.store.removeImage(named: "y", force: false) } == .notFound)
    }

    @Test func `with several names go by ID only when forced`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"]], named: ["x", "y"])
        #expect(
            refusal { _ = try test.store.removeImage(named: image.id.hex, force: false) }
                == .failedPrecondition
        )
        #expect(try test.store.removeImage(named: image.id.hex, force: true).deleted == [image.id])
    }

    @Test func `that a container uses are not removed, and the container is named`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"]], named: ["x"])
        let container = try test.container("box", of: image)
        let failure = #expect(throws: Failure.self) { try test.store.removeImage(named: "x", force: false) }
        #expect(failure?.kind == .failedPrecondition)
        #expect(failure?.message.contains("box (\(container.id.prefix(12)))") == true)
        #expect(
            try test.store.removeImage(named: "x", force: true)
                == Removal(of: image.id, untagged: ["docker.io/library/x:latest"])
        )
        try test.store.removeContainer(container.id)
        #expect(try test.store.removeImage(named: image.id.hex, force: false).deleted == [image.id])
    }

    @Test func `without layers are images, too`() throws {
        let test = try TestStore()
        let image = try test.image([], named: ["empty"])
        #expect(image.layers == [])
        #expect(try test.store.topSnapshot(of: image.id) == nil)
        #expect(try test.store.removeImage(named: "empty", force: false).deleted == [image.id])
    }
}
