import Digests
import Layers
import Linux
import SystemPackage
import Tar
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Damaged layers` {
    private func sample() throws -> [UInt8] {
        try tar([
            .directory("d", xattrs: [.init(name: Array("user.a".utf8), value: [1])]), .file("d/f", "content"),
            .link("d/g", "d/f"), .symlink("s", "d/f"), .bytes("large", noise(50_000)), .file(".wh.w"),
            .file(String(repeating: "long/", count: 30) + "x", "y"),
        ])
    }

    @Test func `cut short anywhere fail and leave nothing`() throws {
        let store = try TestStore()
        let bytes = try sample()
        var ends = Array(stride(from: 0, to: bytes.count - 1, by: 512))
        ends += (0..<100).map { ($0 * 7919) % (bytes.count - 1) }
        for end in ends {
            #expect(throws: Failure.self, "cut at \(end)") { try store.load(Array(bytes[..<end])) }
        }
        #expect(try store.leftovers() == 0)
    }

    @Test func `changed at random never crash, and what is taken comes back byte for byte`() throws {
        let store = try TestStore()
        let bytes = try sample()
        var state: UInt64 = 42
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for round in 0..<2000 {
            var damaged = bytes
            // Headers are what can hurt; most of the tar is one file's content.
            for _ in 0...random(4) {
                let block = random(bytes.count / 512) * 512
                guard damaged[block + 257] == 0x75 || random(10) == 0 else { continue }
                damaged[block + random(512)] = UInt8(random(256))
                Self.repairChecksum(&damaged, block)
            }
            let staged: StagedLayer
            do { staged = try store.stage(damaged) } catch is Failure { continue }
            if round % 60 == 0 {
                try staged.publish()
                #expect(try store.export(staged.diffID) == damaged)
            }
            staged.discard()
        }
        #expect(try store.layout.tmp.names().isEmpty)
    }

    private static func repairChecksum(_ tar: inout [UInt8], _ start: Int) {
        for position in 148..<156 { tar[start + position] = 0x20 }
        var rest = tar[start..<start + 512].reduce(0) { $0 + Int($1) }
        for position in (148..<154).reversed() {
            tar[start + position] = 0x30 + UInt8(rest & 7)
            rest >>= 3
        }
    }

    @Test func `on disk are told by export, which never gives a wrong tar without an error`() throws {
        let bytes = try sample()
        for name in ["recipe", "pack"] {
            let store = try TestStore()
            let diffID = try store.load(bytes).diffID
            let path = store.layout.layer(diffID).appending(name)
            let original = try OwnedFD.open(path, 0).contents(limit: 1 << 20)
            for position in stride(from: 0, to: original.count, by: max(1, original.count / 200)) {
                var damaged = original
                damaged[position] ^= 0x41
                try replace(path, damaged)
                // Not every bit of zstd's means something; but a wrong tar never goes without an error.
                do { #expect(try store.export(diffID) == bytes) } catch is Failure {}
                try replace(path, Array(original[..<position]))
                #expect(throws: Failure.self, "\(name) cut at \(position)") { try store.export(diffID) }
            }
            try replace(path, original)
            #expect(try store.export(diffID) == bytes)
        }
    }

    private func replace(_ path: FilePath, _ bytes: [UInt8]) throws {
        try path.unlink()
        // O_WRONLY | O_CREAT
        try OwnedFD.open(path, 0o101, mode: 0o600).writeAll(bytes)
    }
}
