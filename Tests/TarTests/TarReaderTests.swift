import Linux
import Tar
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Tar reader` {
    @Test func `gives every byte back as literal or content, however the source is cut`() throws {
        let tar = try `Tar writer`.tar() + [1, 2, 3]
        for pieces in [1, 511, 513, 100_000] {
            #expect(try Listing(tar, pieces: pieces).bytes == tar)
        }
    }

    @Test func `reads v7 with a signed checksum, and its directories by their slash`() throws {
        var file = HandmadeHeader("caf\u{e9}", type: "\0", size: "00000000002", magic: "")
        file.set(0, [0x63, 0xe9])
        let directory = HandmadeHeader("d/", type: "\0", magic: "")
        let listing = try Listing(
            file.finished(signed: true) + padded([1, 2]) + directory.finished() + endMarker
        )
        #expect(listing.entries.map(\.kind) == [.file, .directory])
        #expect(listing.contents[0] == [1, 2])
    }

    @Test func `takes a file whose name ends in a slash for a file, data and all`() throws {
        let listing = try Listing(
            HandmadeHeader("f/", type: "0", size: "00000000002").finished() + padded([1, 2])
                + HandmadeHeader("g").finished() + endMarker
        )
        #expect(listing.entries.map(\.kind) == [.file, .file])
        #expect(listing.contents[0] == [1, 2])
    }

    @Test func `joins ustar's prefix, but not GNU's, where times stand in its place`() throws {
        var ustar = HandmadeHeader("name")
        ustar.set(345, Array("some/prefix".utf8))
        var gnu = HandmadeHeader("name", magic: "ustar  \u{0}")
        gnu.set(345, Array("14000000000".utf8))
        let listing = try Listing(ustar.finished() + gnu.finished() + endMarker)
        #expect(
            listing.entries.map { String(decoding: $0.path, as: UTF8.self) } == ["some/prefix/name", "name"]
        )
    }

    @Test func `reads GNU's long names and numbers in base 256`() throws {
        let long = String(repeating: "long/", count: 100) + "name"
        let header = HandmadeHeader("././@LongLink", type: "L", size: "00000000771", magic: "ustar  \u{0}")
        var file = HandmadeHeader("cut", magic: "ustar  \u{0}")
        file.set(108, [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe])
        file.set(136, [UInt8](repeating: 0xff, count: 11) + [0xf6])
        let listing = try Listing(
            header.finished() + padded(Array((long + "\0").utf8)) + file.finished() + endMarker
        )
        #expect(listing[long]?.uid == 4_294_967_294)
        #expect(listing[long]?.modified == .init(seconds: -10))
    }

    @Test func `takes names, sizes, owners and times from PAX records, and nothing from global ones`() throws
    {
        let tar =
            pax([("uid", "77"), ("mtime", "5.5")], type: "g")
            + pax([("path", "p\u{e4}th"), ("size", "3"), ("gid", "3000000000"), ("mtime", "-1.25")])
            + HandmadeHeader("x").finished() + padded([7, 8, 9]) + HandmadeHeader("y").finished() + endMarker
        let listing = try Listing(tar)
        let first = try #require(listing["p\u{e4}th"])
        #expect(first.uid == 0 && first.gid == 3_000_000_000 && first.size == 3)
        #expect(first.modified == .init(seconds: -2, nanoseconds: 750_000_000))
        #expect(listing["y"]?.modified == .init(seconds: 0))
        #expect(listing.contents[0] == [7, 8, 9])
    }

    @Test func `keeps the bytes of extended attributes, NUL and new line included`() throws {
        let value: [UInt8] = [0, 0x0a, 0x3d, 0xff]
        let tar = pax([("SCHILY.xattr.user.x", value)]) + HandmadeHeader("x").finished() + endMarker
        #expect(try Listing(tar)["x"]?.xattrs == [.init(name: Array("user.x".utf8), value: value)])
        // As text, the first one would begin with an accent for the prefix's full stop.
        for name in [[0xcc, 0x81], [0xff], [0xfe]] as [[UInt8]] {
            let record = Array("SCHILY.xattr.".utf8) + name + Array("=\u{1}".utf8)
            let length = UInt8(record.count + 4)
            let block = Array("\(length) ".utf8) + record + [0x0a]
            let tar = pax(block) + HandmadeHeader("x").finished() + endMarker
            #expect(try Listing(tar)["x"]?.xattrs == [.init(name: name, value: [1])])
        }
    }

    @Test(arguments: [
        [
            ("GNU.sparse.size", "100"), ("GNU.sparse.numblocks", "2"), ("GNU.sparse.offset", "0"),
            ("GNU.sparse.numbytes", "3"), ("GNU.sparse.offset", "90"), ("GNU.sparse.numbytes", "2"),
        ],
        [
            ("GNU.sparse.size", "100"), ("GNU.sparse.numblocks", "2"), ("GNU.sparse.name", "s"),
            ("GNU.sparse.map", "0,3,90,2"),
        ],
    ])
    func `reads holes from PAX records`(_ records: [(String, String)]) throws {
        let tar =
            pax(records) + HandmadeHeader("s", size: "00000000005").finished() + padded([1, 2, 3, 4, 5])
            + endMarker
        let listing = try Listing(tar)
        #expect(listing["s"]?.size == 100)
        #expect(listing["s"]?.extents == [.init(offset: 0, length: 3), .init(offset: 90, length: 2)])
        #expect(listing.contents[0] == [1, 2, 3, 4, 5])
        #expect(listing.bytes == tar)
    }

    @Test func `reads holes from a map before the data`() throws {
        let records = [
            ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s"),
            ("GNU.sparse.realsize", "1099511627776"),
        ]
        let map = padded(Array("2\n4096\n2\n1099511627776\n0\n".utf8))
        let tar =
            pax(records) + HandmadeHeader("x", size: "00000001002").finished() + map + padded([8, 9])
            + endMarker
        let listing = try Listing(tar)
        #expect(listing["s"]?.size == 1 << 40)
        #expect(listing["s"]?.extents == [.init(offset: 4096, length: 2)])
        #expect(listing.bytes == tar)
    }

    @Test func `takes the data of nothing but files, whatever a size field says`() throws {
        let tar =
            HandmadeHeader("l", type: "1", size: "00000001000").finished()
            + HandmadeHeader("d", type: "5", size: "00000001000").finished() + endMarker
        #expect(try Listing(tar).entries.count == 2)
    }

    @Test(arguments: [
        ("a size that is no number", HandmadeHeader("x", size: "0000000abc0").finished()),
        ("a negative size", sized([UInt8](repeating: 0xff, count: 12))),
        ("an impossible size", sized([0x80, 0, 0, 0, 0x7f] + [UInt8](repeating: 0xff, count: 7))),
        ("a size beyond 64 bits", sized([UInt8](repeating: 0x81, count: 12))),
        ("an unknown type", HandmadeHeader("x", type: "Z").finished()),
        ("a volume's continuation", HandmadeHeader("x", type: "M").finished()),
        ("a huge PAX header", HandmadeHeader("x", type: "x", size: "00100000000").finished()),
        ("a huge name", HandmadeHeader("x", type: "L", size: "77777777777").finished()),
        ("a wrong checksum", HandmadeHeader("x").bytes),
        ("a PAX record that is too long", broken("30 path=x\n")),
        ("a PAX record without a length", broken("path=x\n")),
        ("a PAX record of no length", broken("0 path=x\n")),
        ("a PAX record of endless length", broken("99999999999999999999 path=x\n")),
        ("a PAX record without a key", broken("6 xyz\n")),
        ("a PAX path with a NUL", broken("10 path=\0\n")),
        ("a PAX size that is none", broken("11 size=-1\n")),
        ("a PAX owner beyond 32 bits", broken("19 uid=99999999999\n")),
        ("a PAX header and no entry", broken("9 path=x\n") + endMarker),
        ("one block of zeros only", [UInt8](repeating: 0, count: 512) + HandmadeHeader("x").finished()),
        ("overlapping extents", sparse("0,3,2,2")),
        ("extents beyond the end", sparse("0,3,99,2")),
        ("extents beyond 64 bits", sparse("0,3,18446744073709551615,2")),
        ("fewer bytes than extents", sparse("0,3")),
        ("half an extent", sparse("0,5,7")),
    ])
    func `refuses`(_ what: String, _ tar: [UInt8]) {
        #expect(throws: Failure.self, "\(what)") {
            try Listing(tar + HandmadeHeader("y").finished() + endMarker)
        }
    }

    @Test func `a failure names the tar and the entry`() throws {
        let tar = pax([("path", "usr/bin/env"), ("uid", "99999999999")]) + HandmadeHeader("x").finished()
        let failure = #expect(throws: Failure.self) { try Listing(tar) }
        #expect(failure?.message == "test: entry \"usr/bin/env\": its owner is too large: 99999999999")
    }

    private static func sized(_ size: [UInt8]) -> [UInt8] {
        var header = HandmadeHeader("x")
        header.set(124, size)
        return header.finished()
    }

    private static func broken(_ block: String) -> [UInt8] {
        let size = String(block.utf8.count, radix: 8)
        let field = String(repeating: "0", count: 11 - size.count) + size
        return HandmadeHeader("x", type: "x", size: field).finished() + padded(Array(block.utf8))
    }

    private static func sparse(_ map: String) -> [UInt8] {
        pax([("GNU.sparse.size", "100"), ("GNU.sparse.map", map)])
            + HandmadeHeader("s", size: "00000000005").finished() + padded([1, 2, 3, 4, 5])
    }
}
