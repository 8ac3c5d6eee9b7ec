import Glibc
import Linux
import Overlay
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)))
struct `Marks of an upper` {
    private let marks = OverlayMarks.user

    /// In words, so that what is found can be compared.
    private func words(_ data: MarkedData) -> String {
        switch data {
        case .here: "here"
        case .below: "below"
        case .partial(let mark):
            "partial \(mark.limit.map { "\($0)" } ?? "all")\(mark.isAnybodys ? ", anybody's" : "")"
        case .unknown: "unknown"
        }
    }

    private static let limit: [UInt8] = [0, 0x10, 0, 0, 0, 0, 0, 0]
    private static let kinds: [(metacopy: [UInt8]?, limit: [UInt8]?, expected: String)] = [
        (nil, nil, "here"), (nil, limit, "here"), ([], nil, "below"), ([0, 4, 0, 0], limit, "below"),
        ([UInt8(ascii: "p")], nil, "partial all, anybody's"),
        ([UInt8(ascii: "p")], limit, "partial 4096, anybody's"),
        ([1, 2, 3], limit, "partial 4096"), ([1, 2, 3], [1, 2], "unknown"),
        ([UInt8(ascii: "q")], nil, "unknown"),
        ([1, 2], nil, "unknown"),
    ]

    @Test(arguments: kinds.indices)
    func `say where the data is, to who asks for it and to who reads all of them`(number: Int) throws {
        let kind = Self.kinds[number]
        let directory = try TestDirectory()
        var values: [String: [UInt8]] = [:]
        values["metacopy"] = kind.metacopy
        values["mica.limit"] = kind.limit
        let name = try directory.add("file", "", values)
        let fd = try directory.open()
        #expect(try words(marks.data(name, in: fd)) == kind.expected)
        #expect(try words(FileMarks(name, in: fd, OverlayMarks.all).data) == kind.expected)
        let file = try OwnedFD.open(directory.path.appending("file"), O_RDWR)
        #expect(try words(FileMarks(.itself, in: file, [marks]).data) == kind.expected)
        // Whatever it was, it is here then.
        try marks.removeData(of: file, isPartial: true, hasMap: true)
        #expect(try Xattr.names(of: file) == [] && words(marks.data(name, in: fd)) == "here")
    }

    @Test(arguments: [("y", Opaque.yes), ("x", .whiteoutFiles), ("", .no), ("yes", .no)])
    func `say what shows through a directory`(value: String, expected: Opaque) throws {
        let directory = try TestDirectory()
        try Xattr.set("user.overlay.opaque", Array(value.utf8), at: directory.path)
        let fd = try directory.open()
        #expect(try marks.opaque(.dot, in: fd) == expected)
        #expect(try FileMarks(.dot, in: fd, [marks]).opaque == expected)
        // Of the other prefix it is data.
        #expect(try FileMarks(.dot, in: fd, [.trusted]).opaque == .no)
    }

    /// tmpfs, since Linux 6.6: ext4 takes no attribute that is larger than a block.
    private static var takesLongAttributes: Bool {
        guard let directory = try? TestDirectory(in: "/dev/shm") else { return false }
        return (try? Xattr.set("user.mica", [UInt8](repeating: 1, count: 5000), at: directory.path)) != nil
    }

    @Test(.enabled(if: takesLongAttributes, "needs a tmpfs with attributes of any length"))
    func `lead to a place whose path is longer than a system call takes`() throws {
        let directory = try TestDirectory(in: "/dev/shm")
        let path = Array(String(repeating: "/directory", count: 500).utf8)
        try Xattr.set("user.overlay.redirect", path, at: directory.path)
        let fd = try directory.open()
        #expect(try marks.redirect(.dot, in: fd) == path)
        #expect(try FileMarks(.dot, in: fd, [marks]).redirect == path)
    }

    @Test func `make an empty file a deleted name, where the directory says that there are such`() throws {
        let directory = try TestDirectory()
        let whiteout = try directory.add("whiteout", "", ["whiteout": []])
        let full = try directory.add("full", "1", ["whiteout": []])
        let empty = try directory.add("empty")
        let fd = try directory.open()
        for (name, isOne) in [(whiteout, true), (full, false), (empty, false)] {
            for (opaque, hasFiles) in [(Opaque.no, false), (.yes, false), (.whiteoutFiles, true)] {
                for kind in [DT_REG, DT_UNKNOWN] {
                    let found = try marks.isWhiteout(name, kind: UInt8(kind), in: fd, hasFiles: hasFiles)
                    #expect(found == (isOne && hasFiles))
                }
                let file = try FileMarks(name, in: fd, [marks])
                #expect(try file.isWhiteout(fd.status(of: name), opaque) == (isOne && hasFiles))
            }
        }
    }

    @Test func `of an overlay inside the mount are stored beside its own, and seen as they were set`() throws
    {
        for (marks, prefix, other) in [
            (OverlayMarks.user, "user.overlay.", "trusted.overlay."),
            (.trusted, "trusted.overlay.", "user.overlay."),
        ] {
            let name = XattrName(prefix + "opaque")
            #expect(marks.stored(name) == XattrName(prefix + "overlay.opaque"))
            #expect(OverlayMarks.stored(name) == marks.stored(name))
            #expect(marks.visible(marks.stored(name), isDevice: false) == name)
            #expect(marks.visible(name, isDevice: false) == nil)
            for data in [XattrName(other + "opaque"), "user.x", "security.capability"] {
                #expect(marks.stored(data) == data && marks.visible(data, isDevice: false) == data)
            }
            // The mark of one that stands for a device is the stand-in's.
            let nested = marks.stored(XattrName(prefix + "whiteout"))
            #expect(
                marks.visible(nested, isDevice: false) != nil && marks.visible(nested, isDevice: true) == nil
            )
        }
    }

    @Test func `show an empty file as the device that it stands for`() throws {
        let directory = try TestDirectory()
        let name = try directory.add("device")
        for (mark, value) in WhiteoutData.attributes(marks) {
            try Xattr.set(mark, value, at: directory.path.appending("device"))
        }
        let fd = try directory.open()
        #expect(try marks.isDevice(name, in: fd))
        let found = try FileMarks(name, in: fd, [marks])
        let shown = try found.shown(fd.status(of: name))
        #expect(found.isDevice && shown.st_mode == S_IFCHR | 0o644 && shown.st_rdev == 0)
        let file = try #require(try UpperFile(name, in: UpperDirectory(fd, [marks])))
        #expect(try file.xattrs(file.marks).isEmpty)
    }

    @Test func `are missed where the root says that there were some`() throws {
        let directory = try TestDirectory()
        func found() throws -> RootMarks { try RootMarks(directory.open(), [marks]) }
        #expect(try !found().areLost)
        // An empty file is what is left of a whiteout that lost its attributes, as everything did.
        try directory.add(".needs-extended-attributes")
        #expect(try found().areLost)
        try Xattr.set("user.overlay.mica.marks", [UInt8(ascii: "y")], at: directory.path)
        #expect(try !found().areLost && found().areEvident)
        #expect(try RootMarks(directory.open(), [.trusted]).areLost)
    }

    /// As a mount does it that ends, and one that begins with a copy.
    @Test func `tell a partial file and a whole copy of it from one that lost its holes`() throws {
        let directory = try TestDirectory()
        func make(_ name: String, _ metacopy: [UInt8]?, blocks: [UInt64]) throws -> OwnedFD {
            let file = try OwnedFD.open(directory.path.appending(name), O_RDWR | O_CREAT, mode: 0o644)
            try file.truncate(to: 1 << 20)
            let block = [UInt8](repeating: 1, count: 1 << 16)
            for number in blocks {
                try block.withUnsafeBytes { try file.writeAll($0, at: number << 16) }
            }
            if let metacopy { try Xattr.set("user.overlay.metacopy", metacopy, of: file) }
            return file
        }
        let original = try make("original", [1, 2, 3], blocks: [2, 5])
        try marks.setMap(of: original, below: 1 << 20)
        let map = try #require(try Xattr.get("user.overlay.mica.map", of: original))
        for (name, blocks, isIntact) in [("copy", [UInt64(2), 5], true), ("filled", [2, 3, 5], false)] {
            let copy = try make(name, [1, 2, 3], blocks: blocks)
            try Xattr.set("user.overlay.mica.map", map, of: copy)
            guard case .partial(let mark) = try marks.data(FileName(name), in: directory.open()) else {
                Issue.record("\(name) is not partial")
                continue
            }
            #expect(try mark.isIntact(copy, below: 1 << 20) == isIntact)
        }
    }
}
