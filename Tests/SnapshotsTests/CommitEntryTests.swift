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

/// The entries of the tar that a commit makes, as a program that unpacks it sees them.
@Suite(.timeLimit(.minutes(40)), .enabled(if: TestStore.isRoot, "gives files to others"))
struct `Every entry of a committed layer` {
    private func entries(_ test: TestStore, _ layer: Digest) throws -> [String: TarEntry] {
        final class Box { var bytes: [UInt8] = [] }
        let box = Box()
        try LayerExport(layout: test.layout).write(layer) { box.bytes += Array($0) }
        var reader = TarReader(MemorySource(box.bytes), named: "the layer") { _ in }
        var entries: [String: TarEntry] = [:]
        while var entry = try reader.next() {
            entry.contentOffset = 0
            entries[String(decoding: entry.path, as: UTF8.self)] = entry
        }
        return entries
    }

    @Test func `says the whole truth, also of a file's second name`() throws {
        let test = try TestStore()
        let image = try test.image([["d/x": "1", "d/e/y": "2"]], named: ["base"])
        try test.store.prepare("k", parent: test.store.topSnapshot(of: image.id))
        try test.write("k", "a", "program")
        try test.write("k", "d/e/new", "x")
        try shell(
            """
            chown 1000:1001 a; chmod 4755 a; setfattr -n user.note -v 1 a; touch -d @1234567890.5 a
            ln a b; ln a d/e/c
            ln -s target s; chown -h 1002:1003 s; ln s t
            mkfifo f; chown 1004:1005 f; chmod 640 f; ln f g
            chown 1006:1007 d d/e; chmod 2750 d/e; touch -d @1234567891 d d/e
            """,
            in: test.upper("k")
        )
        let committed = try test.store.commit("k", as: nil)
        let entries = try entries(test, try #require(committed.layers.last))
        for name in ["a", "b", "d/e/c"] {
            let entry = try #require(entries[name])
            #expect(entry.kind == (name == "a" ? .file : .hardLink))
            #expect((entry.mode, entry.uid, entry.gid) == (0o4755, 1000, 1001), "\(name)")
            #expect(entry.modified == .init(seconds: 1_234_567_890, nanoseconds: 500_000_000))
            #expect(entry.xattrs == [.init(name: Array("user.note".utf8), value: [0x31])])
        }
        #expect(entries["b"]?.linkTarget == Array("a".utf8))
        #expect(entries["t"].map { [$0.uid, $0.gid] } == [1002, 1003])
        #expect(entries["g"].map { [$0.mode, $0.uid, $0.gid] } == [0o640, 1004, 1005])
        for (name, mode) in [("d/", UInt32(0o755)), ("d/e/", 0o2750)] {
            let entry = try #require(entries[name])
            #expect((entry.mode, entry.uid, entry.gid) == (mode, 1006, 1007), "\(name)")
            #expect(entry.modified.seconds == 1_234_567_891)
        }
        // And here it is the same as elsewhere.
        #expect(try test.chain(committed.layers)["d/e/c"]?.mode == 0o104755)
    }

    @Test func `unpacked by tar gives every name its owner`() throws {
        let test = try TestStore()
        try test.store.prepare("k", parent: nil)
        try test.write("k", "a", "program")
        try shell("chown 1000:1001 a; chmod 4755 a; ln a b", in: test.upper("k"))
        let layer = try #require(try test.store.commit("k", as: nil).layers.last)
        let tar = test.base.appending("layer.tar")
        do {
            let file = try OwnedFD.open(tar, O_WRONLY | O_CREAT, mode: 0o600)
            try LayerExport(layout: test.layout).write(layer) { try file.writeAll($0) }
        }
        let listing = try shell("tar --numeric-owner -tvf layer.tar", in: test.base)
        let lines = listing.split(separator: "\n").filter { $0.contains(" a") || $0.contains(" b") }
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.contains("rwsr-xr-x 1000/1001") })
    }
}
