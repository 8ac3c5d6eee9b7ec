import Linux
import Nodes
import Testing
import Union

/// Who comes with a file handle has a node's number, and nothing else when the kernel has forgotten the rest.
@Suite(.timeLimit(.minutes(40)), Fixture.InBothForms())
struct `A number that the kernel has forgotten` {
    private let fixture: Fixture

    init() throws {
        fixture = try Fixture()
        try fixture.add([
            "d": .directory(["f": .file("lower"), "e": .directory(["g": .file("deep")])]),
            "h1": .shared("h", contents: "shared"), "h2": .shared("h", contents: "shared"),
        ])
    }

    /// The number of a path; the kernel then gives back all that it has on the way.
    private func forgotten(_ path: String, in tree: UnionTree) throws -> UInt64 {
        let id = try tree.id(path)
        try forget(path, in: tree)
        return id
    }

    private func forget(_ path: String, in tree: UnionTree) throws {
        var prefix = ""
        for component in path.split(separator: "/") {
            prefix += "/\(component)"
            let id = try tree.id(prefix)
            tree.forget(id, 1 << 20)
        }
    }

    private func find(_ name: String, _ id: UInt64, in tree: UnionTree) throws -> Attributes? {
        try Array(name.utf8).withUnsafeBytes { try tree.lookup($0, in: id) }
    }

    private func contents(_ id: UInt64, in tree: UnionTree) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = try buffer.withUnsafeMutableBytes { try tree.read(id, into: $0, at: 0) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    @Test func `is found again with its data, wherever it is`() throws {
        let tree = try fixture.union()
        try tree.mkdir("made")
        try tree.mkdir("made/inner")
        for path in ["made/inner/new", "d/e/new"] {
            try tree.touch(path)
            try tree.write(path, path)
        }
        try tree.write("d/e/g", "changed")
        try tree.write("h2", "both")
        for (path, expected) in [
            ("d/f", "lower"), ("made/inner/new", "made/inner/new"), ("d/e/new", "d/e/new"),
            ("d/e/g", "changed"),
            ("h1", "bothed"), ("h2", "bothed"),
        ] {
            let id = try forgotten(path, in: tree)
            #expect(try find(".", id, in: tree)?.id == id, "\(path)")
            #expect(try contents(id, in: tree) == expected, "\(path)")
            // The reference counts.
            tree.forget(id, 1)
            #expect(try find(".", id, in: tree)?.id == id, "\(path)")
        }
        for path in ["d", "d/e", "made", "made/inner"] {
            let id = try forgotten(path, in: tree)
            #expect(try find(".", id, in: tree)?.isDirectory == true, "\(path)")
            let above = path.split(separator: "/").dropLast().joined(separator: "/")
            #expect(try find("..", id, in: tree)?.id == tree.id(above), "\(path)")
        }
        #expect(try find("..", NodeID.root, in: tree)?.id == NodeID.root)
    }

    @Test func `follows what was renamed, with all above it`() throws {
        let tree = try fixture.union()
        try tree.mkdir("made")
        try tree.touch("made/new")
        try tree.write("made/new", "new")
        let (new, low) = (try tree.id("made/new"), try tree.id("d/f"))
        try tree.rename("made", to: "d/moved")
        try tree.rename("d/f", to: "d/moved/f")
        try tree.rename("d", to: "elsewhere")
        try forget("elsewhere/moved/new", in: tree)
        try forget("elsewhere/moved/f", in: tree)
        #expect(try find(".", new, in: tree)?.id == new)
        #expect(try find(".", low, in: tree)?.id == low)
        #expect(try contents(new, in: tree) == "new")
        #expect(try contents(low, in: tree) == "lower")
        try expect(tree.id("elsewhere/moved/new") == new)
    }

    @Test func `is nothing when its file is gone`() throws {
        let tree = try fixture.union()
        try tree.touch("new")
        var ids: [UInt64] = []
        for path in ["new", "d/f", "d/e/g", "d/e"] {
            ids.append(try tree.id(path))
            if path == "d/e" { try tree.rmdir(path) } else { try tree.unlink(path) }
        }
        for id in ids {
            tree.forget(id, 1 << 20)
            #expect(try find(".", id, in: tree) == nil)
        }
        // As of another tree, or invented.
        for id in [1 << 20, 1 << 32, 1 << 40, UInt64.max] as [UInt64] {
            #expect(try find(".", id, in: tree) == nil)
        }
    }

    @Test func `is found on a read-only mount`() throws {
        let tree = try UnionTree(lower: fixture.lower(), upper: nil)
        let id = try forgotten("d/e/g", in: tree)
        #expect(try find(".", id, in: tree)?.id == id)
        let directory = try forgotten("d/e", in: tree)
        #expect(try find("..", directory, in: tree)?.id == tree.id("d"))
    }
}
