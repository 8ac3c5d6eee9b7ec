import Digests
import Layers
import Linux
import MountFixtures
import OCI
import Snapshots
import SystemPackage
import Tar
import Testing

import Glibc

@Suite(.timeLimit(.minutes(20)), .enabled(if: TestStore.isRoot, "mounts a filesystem"))
struct `A space of snapshots on a full disk` {
    private let workspace: Workspace
    private let disk: LoopDisk
    private let store: Store
    private let space: SnapshotSpace

    init() throws {
        workspace = try Workspace()
        disk = try LoopDisk(in: workspace, megabytes: 24)
        store = try Store.open(StoreLayout(root: FilePath(disk.path).appending("store")))
        space = SnapshotSpace(.containerd, of: store)
    }

    /// A blob of a file of random bytes.
    private func blob(_ size: Int, seed: UInt64) throws -> (Descriptor, [UInt8]) {
        final class Box { var bytes: [UInt8] = [] }
        let box = Box()
        var random = SeededGenerator(seed: seed)
        var tar = TarWriter { box.bytes += Array($0) }
        let content = (0..<size / 8).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
        try tar.add(TarEntry(path: Array("file".utf8), kind: .file), content: content)
        try tar.finish()
        let digest = SHA256.digest(of: box.bytes)
        let size = UInt64(box.bytes.count)
        return (Descriptor(mediaType: MediaType.layer, digest: digest, size: size), box.bytes)
    }

    private func expectWhole(_ comment: Comment) throws {
        #expect(try StoreCheck.run(store.layout, isDeep: true, repairs: false) == [], comment)
        #expect(try store.layout.tmp.names().isEmpty, comment)
    }

    @Test func `says so, has done nothing, and goes on when there is room`() throws {
        let before = try space.prepare("a", parent: nil)
        let (large, small) = (try blob(30 << 20, seed: 1), try blob(4000, seed: 2))
        let failure = #expect(throws: Failure.self) {
            try space.apply(large.0, to: "a") { MemorySource(large.1) }
        }
        #expect(failure?.kind == .noSpace, "\(failure?.description ?? "")")
        #expect(try space.snapshot("a") == before)
        try expectWhole("too large")
        try space.apply(small.0, to: "a") { MemorySource(small.1) }
        try space.commit("a", as: "A")
        try space.prepare("written", parent: "A")
        let upper = store.layout.snapshot(try space.snapshot("written").id).appending("upper")
        try OwnedFD.open(upper.appending("f"), O_WRONLY | O_CREAT, mode: 0o644).writeAll(small.1)

        // Not a block is left, but for the store's own reserve.
        let rest = FilePath(disk.path).appending("rest")
        let file = try OwnedFD.open(rest, O_WRONLY | O_CREAT, mode: 0o600)
        var size = 1 << 20
        while size > 0 {
            do throws(Errno) { try file.writeAll([UInt8](repeating: 1, count: size)) } catch { size /= 2 }
        }
        try file.synchronize()
        _ = consume file
        let other = try blob(100_000, seed: 3)
        let doors: [(String, () throws -> Void)] = [
            ("prepare", { try space.prepare("p", parent: "A") }),
            ("view", { try space.view("v", parent: "A") }),
            ("apply", { try space.apply(other.0, to: "p") { MemorySource(other.1) } }),
            ("commit", { try space.commit("written", as: "W") }),
            ("labels", { try space.changeLabels(of: "A") { $0["l"] = String(repeating: "x", count: 9000) } }),
            ("adopt", { _ = try space.adopt(chain: small.0.digest, as: "adopted", parent: nil) }),
        ]
        var refused = 0
        for (name, door) in doors {
            let records = try space.snapshots()
            guard let kind = refusal(door) else { continue }
            refused += 1
            // Of one that another one should have made.
            #expect(kind == .noSpace || kind == .notFound, "\(name)")
            #expect(try space.snapshots() == records, "\(name)")
            try expectWhole("\(name)")
        }
        #expect(refused > 0)
        // What takes something away is possible all the same.
        for key in try space.snapshots().map(\.key).reversed() where key != "A" { try space.remove(key) }
        try space.remove("A")
        #expect(try space.snapshots().isEmpty && store.layout.snapshots.names().isEmpty)
        try store.collect()
        try rest.unlink()
        try space.prepare("again", parent: nil)
        try space.apply(other.0, to: "again") { MemorySource(other.1) }
        #expect(try space.commit("again", as: "B").layers == [other.0.digest])
        try expectWhole("at the end")
    }
}
