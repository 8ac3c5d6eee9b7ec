import Linux
import Tar
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Tar writer` {
    static let sample: [(TarEntry, [UInt8])] = [
        (TarEntry(path: Array("etc".utf8), kind: .directory, mode: 0o1755, uid: 7, gid: 8), []),
        (
            TarEntry(
                path: Array("etc/passwd".utf8),
                kind: .file,
                mode: 0o4644,
                uid: 4_000_000_000,
                gid: 3_000_000,
                size: 5,
                modified: .init(seconds: 1_700_000_000, nanoseconds: 120_000_001),
                xattrs: [
                    .init(name: Array("security.capability".utf8), value: [1, 0, 0, 2, 0x0a, 0x3d, 0]),
                    .init(name: Array("user.a=b%25".utf8), value: []),
                ]
            ), Array("root:".utf8)
        ),
        (TarEntry(path: Array("sh".utf8), kind: .symbolicLink, linkTarget: Array("bin/sh".utf8)), []),
        (TarEntry(path: Array("link".utf8), kind: .hardLink, linkTarget: Array("etc/passwd".utf8)), []),
        (
            TarEntry(
                path: Array("old".utf8),
                kind: .fifo,
                modified: .init(seconds: -2, nanoseconds: 750_000_000)
            ), []
        ),
        (TarEntry(path: Array("null".utf8), kind: .characterDevice, device: .init(major: 1, minor: 3)), []),
        (
            TarEntry(
                path: Array("sda".utf8),
                kind: .blockDevice,
                device: .init(major: 4095, minor: 1_048_575)
            ), []
        ),
        (TarEntry(path: [0x66, 0xff, 0xfe], kind: .file, size: 1), [1]),
        (
            TarEntry(path: [UInt8](repeating: 0x61, count: 200), kind: .file, size: 600),
            .init(repeating: 3, count: 600)
        ),
        (
            TarEntry(path: Array((String(repeating: "d/", count: 70) + "e").utf8), kind: .file, size: 0), []
        ),
        (
            TarEntry(
                path: Array("far".utf8),
                kind: .symbolicLink,
                linkTarget: [UInt8](repeating: 0x62, count: 300)
            ), []
        ),
    ]

    static func tar(_ entries: [(TarEntry, [UInt8])] = sample) throws -> [UInt8] {
        final class Output { var bytes: [UInt8] = [] }
        let output = Output()
        var writer = TarWriter { output.bytes += $0 }
        for (entry, content) in entries {
            try writer.add(entry)
            try content.withUnsafeBytes { try writer.write($0) }
        }
        try writer.finish()
        return output.bytes
    }

    @Test func `writes what the reader reads`() throws {
        let listing = try Listing(Self.tar())
        #expect(listing.hasEndMarker)
        #expect(listing.entries.count == Self.sample.count)
        for (position, (expected, content)) in Self.sample.enumerated() {
            var entry = listing.entries[position]
            entry.contentOffset = 0
            var expected = expected
            if expected.kind == .directory { expected.path.append(UInt8(ascii: "/")) }
            expected.xattrs.sort { $0.name.lexicographicallyPrecedes($1.name) }
            #expect(entry == expected)
            #expect(listing.contents[position] == content)
        }
    }

    @Test func `writes the same bytes every time`() throws {
        #expect(try Self.tar() == Self.tar())
    }

    @Test func `refuses a content that is longer or shorter than its header says`() throws {
        let entry = TarEntry(path: [0x61], kind: .file, size: 3)
        #expect(throws: Failure.self) { try Self.tar([(entry, [1, 2])]) }
        #expect(throws: Failure.self) { try Self.tar([(entry, [1, 2, 3, 4])]) }
    }
}
