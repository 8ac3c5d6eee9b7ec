/// Layers whose tars are odd, whatever is in them.
extension OddLayers {
    private static let end = RawTar.end

    private static func tar(_ parts: [UInt8]...) -> [UInt8] { parts.flatMap(\.self) + end }

    private static let file = RawTar.entry("x", "0", "here")

    /// Headers as old, foreign and careless archivers write them.
    static let headers: [OddLayers] = [
        OddLayers(
            "a header from before ustar",
            tars: tar(RawTar.entry("x", RawTar.old, "here", magic: .none))
        ),
        OddLayers("a header of GNU's", tars: tar(RawTar.entry("x", "0", "here", magic: .gnu))),
        OddLayers(
            "a directory from before there were types",
            tars: tar(RawTar.entry("d/", RawTar.old, magic: .none, with: [.mode: Array("0000755\0".utf8)]))
        ),
        OddLayers("a file whose name ends in a slash", tars: tar(RawTar.entry("d/", "0"))),
        OddLayers(
            "numbers after blanks",
            tars: tar(
                RawTar.entry(
                    "x",
                    "0",
                    "here",
                    with: [.mode: Array("   640 \0".utf8), .uid: Array("     5 \0".utf8)]
                )
            )
        ),
        OddLayers(
            "no numbers",
            tars: tar(
                RawTar.entry(
                    "x",
                    "0",
                    "here",
                    with: [
                        .uid: [UInt8](repeating: 0, count: 8), .gid: [UInt8](repeating: 0x20, count: 8),
                        .time: [UInt8](repeating: 0, count: 12),
                    ]
                )
            )
        ),
        OddLayers(
            "binary numbers",
            tars: tar(
                RawTar.entry(
                    "x",
                    "0",
                    "here",
                    magic: .gnu,
                    with: [
                        .uid: [0x80, 0, 0, 0, 0, 0x20, 0, 1], .gid: [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe],
                        .size: [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4],
                    ]
                )
            )
        ),
        OddLayers(
            "a user beyond 32 bits",
            tars: tar(
                RawTar.entry("x", "0", "here", magic: .gnu, with: [.uid: [0x80, 0, 0, 1, 0, 0, 0, 0]])
            ),
            outcome: .refused("its owner is impossible: 4294967296")
        ),
        OddLayers(
            "a time before 1970",
            tars: tar(
                RawTar.entry(
                    "x",
                    "0",
                    "here",
                    magic: .gnu,
                    with: [.time: [UInt8](repeating: 0xff, count: 11) + [0xfe]]
                )
            )
        ),
        OddLayers(
            "letters for a mode",
            tars: tar(RawTar.entry("x", "0", "here", with: [.mode: Array("zzzzzzz\0".utf8)])),
            outcome: .refused("its mode is not an octal number")
        ),
        OddLayers(
            "modes with types in them",
            tars: tar(
                RawTar.entry("d", "5", with: [.mode: Array("0040711\0".utf8)]),
                RawTar.entry("d/x", "0", "here", with: [.mode: Array("0104755\0".utf8)])
            )
        ),
        OddLayers(
            "a name in two parts",
            tars: tar(RawTar.entry("x", "0", "here", with: [.prefix: Array("some/where".utf8)]))
        ),
        OddLayers("a directory with a size", tars: tar(RawTar.entry("d/", "5", size: 512), file)),
        OddLayers(
            "links and pipes with a size",
            tars: tar(
                file,
                RawTar.entry("a", "2", size: 5, link: "x"),
                RawTar.entry("b", "6", size: 5),
                RawTar.entry("c", "1", size: 5, link: "x"),
                RawTar.entry("y", "0", "there")
            )
        ),
        OddLayers(
            "a type that nobody knows",
            tars: tar(file, RawTar.entry("y", "Z", "here")),
            outcome: .refused("is unknown")
        ),
        OddLayers(
            "a volume that goes on",
            tars: tar(RawTar.entry("x", "M", "here", magic: .gnu)),
            outcome: .refused("continues on another volume")
        ),
        OddLayers(
            "a file in one piece",
            tars: tar(RawTar.entry("x", "7", "here")),
            outcome: .tree(["x": "here"])
        ),
        OddLayers(
            "a device number beyond Linux's",
            tars: tar(RawTar.entry("x", "3", with: [.major: Array("0010000\0".utf8)])),
            outcome: .refused("its device number")
        ),
        OddLayers(
            "a device with numbers as large as they get",
            tars: tar(
                RawTar.entry(
                    "x",
                    "3",
                    with: [.major: Array("0007777\0".utf8), .minor: Array("3777777\0".utf8)]
                )
            )
        ),
    ]

    /// Extended headers.
    static let records: [OddLayers] = [
        OddLayers(
            "an extended header of a size and of owners",
            tars: tar(
                RawTar.pax(["size": "4", "uid": "3000000", "gid": "4000000000"]),
                RawTar.entry("x", "0", "here", size: 0)
            )
        ),
        OddLayers(
            "an extended header's time",
            tars: tar(
                RawTar.pax(["mtime": "1000.1234567891234"]),
                file,
                RawTar.pax(["mtime": "-5.5"]),
                RawTar.entry("y", "0", "there")
            )
        ),
        OddLayers(
            "an extended header's time that is none",
            tars: tar(RawTar.pax(["mtime": "1e3"]), file),
            outcome: .refused("mtime")
        ),
        OddLayers(
            "a record twice in a header",
            tars: tar(RawTar.pax(["path": "one", "path": "two"]), file)
        ),
        OddLayers(
            "two extended headers for a file",
            tars: tar(
                RawTar.pax(["path": "one", "uid": "5"]),
                RawTar.pax(["path": "two", "gid": "6"]),
                file
            )
        ),
        OddLayers(
            "a name of GNU's and one of POSIX'",
            tars: tar(
                RawTar.pax(["path": "a"]),
                RawTar.long("L", "b"),
                file,
                RawTar.long("L", "c"),
                RawTar.pax(["path": "d"]),
                file
            )
        ),
        OddLayers("records without a value", tars: tar(RawTar.pax(["path": "", "uid": ""]), file)),
        OddLayers(
            "records that nobody knows",
            tars: tar(RawTar.pax(["VENDOR.thing": "1", "comment": "well", "atime": "5", "ctime": "6"]), file)
        ),
        OddLayers(
            "a name with a NUL",
            tars: tar(RawTar.pax(["path": "a\0b"]), file),
            outcome: .refused("NUL")
        ),
        OddLayers(
            "a record of a wrong length",
            tars: tar(RawTar.entry("p", "x", "99 a=b\n\n\n"), file),
            outcome: .refused("a PAX record says")
        ),
        OddLayers(
            "a global header",
            tars: tar(RawTar.pax(["mtime": "42", "comment": "of git's"], "g"), file),
            outcome: .tree(["x": "here"])
        ),
        OddLayers(
            "a long name of GNU's",
            tars: tar(RawTar.long("L", String(repeating: "n/", count: 90)), file)
        ),
        OddLayers(
            "a long link of GNU's",
            tars: tar(
                RawTar.long("K", String(repeating: "t/", count: 200)),
                RawTar.entry("l", "2", magic: .gnu)
            )
        ),
        OddLayers(
            "attributes of bytes",
            tars: tar(
                RawTar.pax("SCHILY.xattr.user.b", [0, 255, 10, 61, 0x78]),
                file,
                RawTar.pax("SCHILY.xattr.trusted.t", [0]),
                RawTar.entry("d/", "5")
            )
        ),
        OddLayers(
            "an attribute that a link can't have",
            tars: tar(RawTar.pax("SCHILY.xattr.user.a", [1]), RawTar.entry("l", "2", link: "x"), file),
            outcome: .tree(["x": "here"])
        ),
        OddLayers(
            "attributes of libarchive's",
            tars: tar(RawTar.pax(["LIBARCHIVE.xattr.user.b": "MQ=="]), file)
        ),
        OddLayers(
            "an ACL in words",
            tars: tar(RawTar.pax(["SCHILY.acl.access": "user::rw-,group::r--,other::r--"]), file)
        ),
        OddLayers(
            "a directory's attributes, kept and replaced",
            tars: tar(
                RawTar.pax("SCHILY.xattr.user.a", [1]),
                RawTar.entry("kept/", "5"),
                RawTar.pax("SCHILY.xattr.user.a", [1]),
                RawTar.entry("gone/", "5")
            ),
            tar(RawTar.entry("kept/x", "0"), RawTar.entry("gone/", "5"))
        ),
    ]

    /// Beginnings and ends.
    static let archives: [OddLayers] = [
        OddLayers("a tar of nothing", tars: []),
        OddLayers("a tar that ends at once", tars: end),
        OddLayers("a tar without an end", tars: file),
        OddLayers("a tar with half an end", tars: file + end[..<512]),
        OddLayers("a tar with more than an end", tars: file + end + end + end),
        OddLayers("a tar with something behind its end", tars: tar(file) + Array("anything".utf8)),
        OddLayers("a tar with another behind it", tars: tar(file) + tar(RawTar.entry("late", "0", "y"))),
        OddLayers(
            "a tar that is cut off in data",
            tars: Array(file[..<514]),
            outcome: .refused("2 bytes too early")
        ),
        OddLayers(
            "a tar that is cut off in a header",
            tars: file + file[..<100],
            outcome: .refused("in the middle of a header")
        ),
        OddLayers(
            "a header whose sum is wrong",
            tars: tar(file, Array("y".utf8) + file[1...]),
            outcome: .refused("checksum")
        ),
        OddLayers(
            "no tar at all",
            tars: Array(repeating: 0x61, count: 2048),
            outcome: .refused("no tar header")
        ),
    ]
}
