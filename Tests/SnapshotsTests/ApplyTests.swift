import Digests
import Foundation
import Layers
import Linux
import OCI
import Snapshots
import Synchronization
import SystemPackage
import Tar
import Testing

import Glibc

@Suite(.timeLimit(.minutes(20))) struct `A layer that is applied to a snapshot` {
    private let test: TestStore
    private let space: SnapshotSpace

    init() throws {
        test = try TestStore()
        space = SnapshotSpace(.containerd, of: test.store)
    }

    /// A blob with these entries.
    private func blob(
        root: (mode: UInt32, uid: UInt32)? = nil,
        _ files: [String: String],
        links: [String: String] = [:]
    ) throws -> (Descriptor, [UInt8]) {
        let box = Box<[UInt8]>([])
        var tar = TarWriter { piece in box.value.withLock { $0 += Array(piece) } }
        if let root {
            var entry = TarEntry(path: Array("./".utf8), kind: .directory, mode: root.mode)
            entry.uid = root.uid
            entry.modified = .init(seconds: 981_173_106, nanoseconds: 0)
            try tar.add(entry)
        }
        for (path, content) in files.sorted(by: { $0.key < $1.key }) {
            try tar.add(TarEntry(path: Array(path.utf8), kind: .file), content: Array(content.utf8))
        }
        for (path, target) in links.sorted(by: { $0.key < $1.key }) {
            try tar.add(TarEntry(path: Array(path.utf8), kind: .hardLink, linkTarget: Array(target.utf8)))
        }
        try tar.finish()
        let bytes = box.value.withLock { $0 }
        let descriptor = Descriptor(
            mediaType: MediaType.layer,
            digest: SHA256.digest(of: bytes),
            size: UInt64(bytes.count),
            annotations: ["a": "b"]
        )
        return (descriptor, bytes)
    }

    @discardableResult
    private func apply(_ blob: (Descriptor, [UInt8]), to key: String) throws -> NewLayer {
        try space.apply(blob.0, to: key) { MemorySource(blob.1) }
    }

    private func upper(_ key: String) throws -> FilePath {
        try test.layout.snapshot(space.snapshot(key).id).appending("upper")
    }

    @Test func `is what it shows and is committed as, without a walk`() throws {
        let (lower, higher) = (
            try blob(["a": "1", "b": "1"]), try blob(["b": "2", "c": `The collector`.large])
        )
        try space.prepare("k1", parent: nil)
        let first = try apply(lower, to: "k1")
        #expect(first.diffID == lower.0.digest && first.tarSize == lower.0.size)
        let active = try space.snapshot("k1")
        #expect(active.kind == .active && active.layers == [first.diffID] && active.layer == first.diffID)
        #expect(try space.usage("k1").bytes >= 2)
        let bottom = try space.commit("k1", as: "bottom", labels: ["l": "1"])
        #expect(bottom.layers == [first.diffID] && bottom.labels == ["l": "1"] && bottom.kind == .committed)

        try space.prepare("k2", parent: "bottom")
        let second = try apply(higher, to: "k2")
        #expect(try space.snapshot("k2").layers == [first.diffID, second.diffID])
        let tar = Box<[UInt8]>([])
        try space.export("k2") { piece in tar.value.withLock { $0 += Array(piece) } }
        #expect(tar.value.withLock { $0 } == higher.1)
        let top = try space.commit("k2", as: "top")
        #expect(top.layers == [first.diffID, second.diffID] && top.parent == "bottom")
        #expect(try test.chain(top.layers).keys.sorted() == ["", "a", "b", "c"])
        #expect(try test.chain(top.layers)["b"]?.content == "\(SHA256.digest(of: Array("2".utf8)))")
        #expect(try test.layout.snapshots.names().isEmpty && test.layout.tmp.names().isEmpty)
        // Nothing was folded that was never mounted.
        #expect(try test.layout.chains.names().count == 1)
        #expect(try test.store.blobs(of: second.diffID) == [LayerBlob(higher.0, isVerified: true)])
        #expect(try StoreCheck.run(test.layout, isDeep: true, repairs: false) == [])
        #expect(try test.store.collect()?.removed["layers"] == nil)
    }

    @Test func `is not read again where its blob was once`() throws {
        let blob = try blob(["a": "1"])
        for key in ["a", "b"] { try space.prepare(key, parent: nil) }
        try apply(blob, to: "a")
        let layer = try space.apply(blob.0, to: "b") { () -> MemorySource in
            Issue.record("it was opened")
            throw Errno.ioError
        }
        #expect(try layer.diffID == blob.0.digest && space.snapshot("b").layer == layer.diffID)
        // Again, as after an answer that was lost.
        #expect(try apply(blob, to: "b").diffID == layer.diffID)
        // One that lies about its size is another.
        var other = blob.0
        other.size += 1
        try space.prepare("c", parent: nil)
        #expect(throws: Failure.self) { try space.apply(other, to: "c") { MemorySource(blob.1) } }
        #expect(try space.snapshot("c").layers == [])
    }

    @Test func `is applied again where a kill has left it with the layer's root`() throws {
        let (one, other) = (try blob(root: (0o755, 0), ["a": "1"]), try blob(root: (0o700, 0), ["a": "2"]))
        try space.prepare("a", parent: nil)
        try apply(one, to: "a")
        try space.commit("a", as: "A")
        try space.prepare("b", parent: "A")
        // The upper has its attributes before the row says that the layer is its content.
        try shell("chmod 700 . && touch -d @981173106 .", in: upper("b"))
        try apply(other, to: "b")
        #expect(try space.commit("b", as: "B").layers == [one.0.digest, other.0.digest])
        // What no layer has is still a change.
        try space.prepare("c", parent: "A")
        try shell("chmod 711 .", in: upper("c"))
        #expect(refusal { try apply(other, to: "c") } == .failedPrecondition)
    }

    @Test func `is refused where it can't be the content`() throws {
        let (one, other) = (try blob(["a": "1"]), try blob(["a": "2"]))
        #expect(refusal { try apply(one, to: "missing") } == .notFound)
        try space.prepare("a", parent: nil)
        try apply(one, to: "a")
        #expect(refusal { try apply(other, to: "a") } == .failedPrecondition)
        try space.commit("a", as: "A")
        #expect(refusal { try apply(one, to: "A") } == .failedPrecondition)
        try space.view("v", parent: "A")
        #expect(refusal { try apply(one, to: "v") } == .failedPrecondition)
        // Written to before, and after.
        try space.prepare("w", parent: "A")
        try shell("touch f", in: upper("w"))
        #expect(refusal { try apply(other, to: "w") } == .failedPrecondition)
        #expect(try space.snapshot("w").layer == nil)
        for change in ["touch f", "chmod 700 .", "touch -d '2001-02-03' .", "setfattr -n user.x -v y ."] {
            try space.prepare("x", parent: "A")
            try apply(other, to: "x")
            try shell(change, in: upper("x"))
            #expect(refusal { try space.commit("x", as: "X") } == .failedPrecondition, "\(change)")
            #expect(refusal { try space.export("x") { _ in } } == .failedPrecondition, "\(change)")
            try space.remove("x")
        }
        // Mounted, by a row and by who serves it.
        try space.prepare("m", parent: "A")
        let mount = try test.store.addMount(of: "m", in: .containerd, source: "s", at: "/x")
        #expect(refusal { try apply(other, to: "m") } == .failedPrecondition)
        _ = consume mount
        let work = try OwnedFD.open(upper("m").removingLastComponent().appending("work"), O_RDONLY)
        #expect(flock(work.raw, LOCK_EX | LOCK_NB) == 0)
        #expect(refusal { try apply(other, to: "m") } == .failedPrecondition)
        flock(work.raw, LOCK_UN)
        try apply(other, to: "m")
    }

    @Test func `that is not what its digest says, or is cut short, leaves the snapshot as it was`() throws {
        let (good, wrong) = (try blob(["a": "1"]), try blob(["a": "2"]))
        let before = try space.prepare("a", parent: nil)
        #expect(throws: Failure.self) { try space.apply(good.0, to: "a") { MemorySource(wrong.1) } }
        #expect(throws: Failure.self) {
            try space.apply(good.0, to: "a") { MemorySource(Array(good.1.dropLast(512))) }
        }
        #expect(throws: Errno.self) { try space.apply(good.0, to: "a") { BrokenSource() } }
        #expect(try space.snapshot("a") == before)
        #expect(try test.layout.tmp.names().isEmpty && test.layout.layers.names().isEmpty)
        try apply(good, to: "a")
    }

    @Test(.enabled(if: TestStore.isRoot, "needs root for owners and attributes"))
    func `gives its root to the upper, and takes none where it says nothing`() throws {
        try space.prepare("a", parent: nil)
        let upper = try upper("a")
        try Xattr.set("user.old", [1], at: upper)
        chmod(upper.string, 0o700)
        try space.commit("a", as: "A")
        try space.prepare("plain", parent: "A")
        try apply(blob(["f": "1"]), to: "plain")
        var status = try self.upper("plain").status()
        #expect(status.st_mode == S_IFDIR | 0o700)
        #expect(try Xattr.get("user.old", at: self.upper("plain")) == [1])
        try space.prepare("own", parent: "A")
        try apply(blob(root: (0o1751, 12), ["f": "1"]), to: "own")
        status = try self.upper("own").status()
        #expect(status.st_mode == S_IFDIR | 0o1751 && status.st_uid == 12)
        #expect(status.st_mtim.tv_sec == 981_173_106)
        #expect(try Xattr.get("user.old", at: self.upper("own")) == nil)
        let committed = try space.commit("own", as: "B")
        // What a stack's index says, and what is said without one, are the same.
        for isFolded in [false, true] {
            if isFolded { _ = try ChainStore(layout: test.layout).index(for: committed.layers) }
            try space.prepare("c\(isFolded)", parent: "B")
            let next = try self.upper("c\(isFolded)").status()
            #expect(next.st_mode == S_IFDIR | 0o1751 && next.st_uid == 12)
            #expect(next.st_mtim.tv_sec == 981_173_106)
        }
    }

    @Test func `may link to files of a parent that comes with the commit, and not to what is nowhere`() throws
    {
        let (base, linked) = (try blob(["a": "1"]), try blob(["b": "1"], links: ["c": "a"]))
        for (key, blob) in [("k1", base), ("k2", linked), ("k3", linked)] {
            try space.prepare(key, parent: nil)
            try apply(blob, to: key)
        }
        try space.commit("k1", as: "base")
        let record = try space.commit("k2", as: "linked", parent: "base")
        #expect(try test.chain(record.layers).keys.sorted() == ["", "a", "b", "c"])
        #expect(throws: Failure.self) { try space.commit("k3", as: "nowhere") }
        #expect(try space.snapshot("k3").kind == .active)
    }

    @Test func `by two at once, to one snapshot or of one blob, is there once and whole`() async throws {
        let blobs = try (0..<3).map { try blob(["large": `The collector`.large + "\($0)"]) }
        let layout = test.layout
        for key in ["one", "a", "b", "c", "d"] { try space.prepare(key, parent: nil) }
        let outcomes = Box<[String: [Digest]]>([:])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (key, number) in [("one", 0), ("one", 1), ("one", 1), ("a", 2), ("b", 2), ("c", 2), ("d", 2)]
            {
                let blob = blobs[number]
                group.addTask {
                    let space = SnapshotSpace(.containerd, of: try Store.open(layout))
                    do {
                        let layer = try space.apply(blob.0, to: key) { MemorySource(blob.1) }
                        outcomes.value.withLock { $0[key, default: []].append(layer.diffID) }
                    } catch let failure as Failure where failure.kind == .failedPrecondition {}
                }
            }
            try await group.waitForAll()
        }
        let found = outcomes.value.withLock { $0 }
        let one = try #require(try space.snapshot("one").layer)
        #expect(Set(found["one"] ?? []) == [one])
        for key in ["a", "b", "c", "d"] { #expect(try space.snapshot(key).layer == blobs[2].0.digest) }
        try test.expectWhole("at once", test.store)
        #expect(try test.store.collect()?.problems == [])
        #expect(try StoreCheck.run(test.layout, isDeep: true, repairs: false) == [])
    }
}

private final class Box<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
}

/// Gives some bytes, and then an error, as a connection does that breaks.
private struct BrokenSource: ByteSource {
    private var left = 600

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard left > 0 else { throw Errno.connectionReset }
        let count = min(left, buffer.count)
        buffer[..<count].initializeMemory(as: UInt8.self, repeating: 0)
        left -= count
        return count
    }
}
