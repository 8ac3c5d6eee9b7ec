import Changes
import Digests
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40))) struct `Snapshots` {
    @Test func `answer as containerd's interface says`() throws {
        let test = try TestStore()
        let store = test.store
        try store.prepare("a", parent: nil, labels: ["containerd.io/snapshot/x": "1"])
        // Prepare and View.
        #expect(refusal { try store.prepare("a", parent: nil) } == .alreadyExists)
        #expect(refusal { try store.view("a", parent: nil) } == .alreadyExists)
        #expect(refusal { try store.prepare("b", parent: "missing") } == .notFound)
        #expect(refusal { try store.view("b", parent: "missing") } == .notFound)
        #expect(refusal { try store.prepare("b", parent: "a") } == .invalidArgument)
        #expect(refusal { try store.view("b", parent: "a") } == .invalidArgument)
        #expect(refusal { try store.prepare("", parent: nil) } == .invalidArgument)
        // Commit.
        try test.write("a", "file", "data")
        let committed = try store.commit(name: "c", key: "a", labels: ["l": "2"])
        #expect(committed.kind == .committed && committed.labels == ["l": "2"] && committed.layers.count == 1)
        #expect(refusal { _ = try store.snapshot("a") } == .notFound)
        #expect(refusal { try store.commit(name: "d", key: "a") } == .notFound)
        #expect(refusal { try store.commit(name: "d", key: "c") } == .failedPrecondition)
        try store.view("v", parent: "c")
        #expect(refusal { try store.commit(name: "d", key: "v") } == .failedPrecondition)
        try store.prepare("e", parent: "c")
        #expect(refusal { try store.commit(name: "c", key: "e") } == .alreadyExists)
        #expect(refusal { try store.commit(name: "e", key: "e") } == .alreadyExists)
        // Remove.
        #expect(refusal { try store.remove("missing") } == .notFound)
        #expect(refusal { try store.remove("c") } == .failedPrecondition)
        try store.remove("v")
        try store.remove("e")
        try store.remove("c")
        #expect(try store.snapshots().isEmpty)
        #expect(try test.layout.snapshots.names().isEmpty)
    }

    @Test func `take a parent when they are committed only where they had none`() throws {
        let test = try TestStore()
        let store = test.store
        try store.prepare("a", parent: nil)
        try test.write("a", "a", "a")
        try store.commit(name: "A", key: "a")
        try store.prepare("b", parent: nil)
        try test.write("b", "b", "b")
        let rebased = try store.commit(name: "B", key: "b", parent: "A")
        #expect(rebased.parent == "A" && rebased.layers.count == 2)
        try store.prepare("c", parent: "A")
        #expect(refusal { try store.commit(name: "C", key: "c", parent: "B") } == .invalidArgument)
        #expect(refusal { try store.commit(name: "C", key: "c", parent: "missing") } == .notFound)
        #expect(try store.commit(name: "C", key: "c", parent: "A").parent == "A")
        #expect(try test.chain(rebased.layers).keys.sorted() == ["", "a", "b"])
    }

    @Test func `keep their labels and times`() throws {
        let test = try TestStore()
        let before = try test.store.prepare("a", parent: nil, labels: ["x": "1", "y": "2"])
        #expect(before.labels == ["x": "1", "y": "2"])
        let after = try test.store.setLabels(["z": ""], of: "a")
        #expect(after.labels == ["z": ""])
        #expect(after.created == before.created && after.updated > before.updated)
        #expect(try test.reopened().snapshot("a") == after)
        #expect(refusal { try test.store.setLabels([:], of: "b") } == .notFound)
    }

    @Test(.enabled(if: TestStore.isRoot, "needs root for owners and attributes"))
    func `begin with the attributes of the root below`() throws {
        let test = try TestStore()
        try test.store.prepare("a", parent: nil)
        let upper = try test.upper("a")
        #expect(try upper.status().st_mode == S_IFDIR | 0o755)
        try Xattr.set("user.note", [1, 2], at: upper)
        try Xattr.set("trusted.overlay.overlay.opaque", [0x79], at: upper)
        chown(upper.string, 12, 34)
        chmod(upper.string, 0o1751)
        try shell("touch -d '2001-02-03 04:05:06.789' .", in: upper)
        try test.store.commit(name: "A", key: "a")
        try test.store.prepare("b", parent: "A")
        let status = try test.upper("b").status()
        #expect(status.st_mode == S_IFDIR | 0o1751 && status.st_uid == 12 && status.st_gid == 34)
        #expect(status.st_mtim.tv_sec == 981_173_106 && status.st_mtim.tv_nsec == 789_000_000)
        #expect(try Xattr.get("user.note", at: test.upper("b")) == [1, 2])
        #expect(try Xattr.get("trusted.overlay.overlay.opaque", at: test.upper("b")) == [0x79])
        #expect(try test.upper("b").removingLastComponent().appending("work").names().isEmpty)
    }

    @Test func `tell what they take without their parents`() throws {
        let test = try TestStore()
        let image = try test.image([["a": String(repeating: "x", count: 5000)]])
        let top = try #require(try test.store.topSnapshot(of: image.id))
        #expect(try test.store.usage(top) == SnapshotUsage(bytes: 5000, inodes: 2))
        try test.store.prepare("k", parent: top)
        let empty = try test.store.usage("k")
        try test.write("k", "f", String(repeating: "y", count: 100_000))
        try shell("ln f g", in: test.upper("k"))
        let full = try test.store.usage("k")
        #expect(full.inodes == empty.inodes + 1)
        #expect(full.bytes >= empty.bytes + 100_000 && full.bytes < empty.bytes + 200_000)
        try test.store.view("v", parent: top)
        #expect(try test.store.usage("v") == SnapshotUsage(bytes: 0, inodes: 0))
    }

    @Test func `of an image can't be removed while it is there`() throws {
        let test = try TestStore()
        let image = try test.image([["a": "1"], ["b": "2"]], named: ["x"])
        for chain in ChainID.all(of: image.layers) {
            #expect(refusal { try test.store.remove("\(chain)") } == .failedPrecondition)
        }
    }

    @Test func `a number is not used again after a removal`() throws {
        let test = try TestStore()
        let first = try test.store.prepare("a", parent: nil).id
        try test.store.remove("a")
        #expect(try test.store.prepare("a", parent: nil).id > first)
    }

    @Test func `what a crash left in the place of a new one goes`() throws {
        let test = try TestStore()
        let next = try test.store.prepare("a", parent: nil).id + 1
        try test.layout.snapshot(next).appending("upper/leftover").makeDirectories()
        #expect(try test.store.prepare("b", parent: nil).id == next)
        #expect(try test.upper("b").names().isEmpty)
    }

    @Test func `go with trees deeper than a path or a process's files`() throws {
        let test = try TestStore()
        try test.store.prepare("a", parent: nil)
        try shell(
            "python3 -c 'import os\nfor i in range(3000): os.mkdir(\"some-name\"); os.chdir(\"some-name\")'",
            in: test.upper("a")
        )
        #expect(try test.store.usage("a").inodes == 3001)
        let changes = Counter()
        try test.store.diff("a") { _ in changes.count += 1 }
        #expect(changes.count == 3000)
        try test.store.remove("a")
        #expect(try test.layout.snapshots.names().isEmpty)
    }

    private final class Counter {
        var count = 0
    }

    @Test func `made by several at once are all there`() async throws {
        let test = try TestStore()
        let layout = test.layout
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    let store = try Store.open(layout)
                    for number in 0..<10 { try store.prepare("\(worker)-\(number)", parent: nil) }
                }
            }
            try await group.waitForAll()
        }
        #expect(try test.store.snapshots().count == 40)
        #expect(try test.layout.snapshots.names().count == 40)
    }
}
