import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Containers and mounts in the store` {
    @Test func `a container is found by name, ID and the beginning of its ID`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"]])
        let box = try test.container("box", of: image)
        for name in ["box", box.id, String(box.id.prefix(12))] {
            #expect(try test.store.container(named: name) == box)
        }
        #expect(refusal { _ = try test.store.container(named: "other") } == .notFound)
        #expect(refusal { _ = try test.store.container(named: "*") } == .notFound)
        #expect(try test.store.containers() == [box])
    }

    @Test func `a name is taken once, and the message says by whom`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"]])
        let box = try test.container("box", of: image)
        let failure = #expect(throws: Failure.self) { try test.container("box", of: image) }
        #expect(failure?.kind == .alreadyExists)
        #expect(failure?.message.contains(box.id.prefix(12)) == true)
    }

    @Test func `a container goes with its snapshot`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"]])
        let box = try test.container("box", of: image)
        #expect(refusal { try test.store.remove(box.snapshot) } == .failedPrecondition)
        try test.store.removeContainer(box.id)
        #expect(refusal { _ = try test.store.snapshot(box.snapshot) } == .notFound)
        #expect(try test.layout.snapshots.names().isEmpty)
        try test.store.removeContainer(box.id)
    }

    @Test func `a mount lives as long as its lock is held, and keeps its snapshot`() throws {
        let test = try TestStore()
        try test.store.prepare("k", parent: nil)
        do {
            let mount = try test.store.addMount(of: "k", source: "k", at: "/somewhere")
            #expect(try test.store.mounts() == [mount.record])
            #expect(refusal { try test.store.remove("k") } == .failedPrecondition)
            #expect(refusal { try test.store.commit(name: "c", key: "k") } == .failedPrecondition)
            _ = consume mount
        }
        #expect(try test.store.mounts().map(\.isLive) == [false])
        try test.store.remove("k")
        #expect(try test.store.mounts().isEmpty)
    }

    @Test func `a view that was made for a mount goes with it`() throws {
        let test = try TestStore()
        try test.store.view("v", parent: nil)
        let mount = try test.store.addMount(of: "v", owning: true, source: "v", at: "/somewhere")
        let id = mount.record.id
        _ = consume mount
        try test.store.removeMount(id)
        #expect(try test.store.snapshots().isEmpty)
        #expect(try test.layout.mounts.names().isEmpty)
    }
}
