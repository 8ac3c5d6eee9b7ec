import Glibc
import Linux
import Nodes
import SystemPackage
import Testing
import Union

/// Where mistakes are: writes that begin and end one byte before, at and after the edge of a block, the end of the file,
/// and the byte from which on a file that was cut off has nothing of the lower.
@Suite(
    .timeLimit(.minutes(40)),
    Fixture.InBothForms(),
    .enabled(if: geteuid() == 0, "trusted xattrs need root")
)
struct `A first write at the edges of a file's blocks` {
    private static let block = 4096
    private static let size = 3 * block + 123
    /// Where one that is cut off ends for a moment.
    private static let limit = block + 1000
    private static let old = (0..<size).map { UInt8(truncatingIfNeeded: $0 % 125 + 1) }

    private static func around(_ places: [Int]) -> [Int] {
        Array(Set(places.flatMap { [$0 - 1, $0, $0 + 1] }.filter { $0 >= 0 })).sorted()
    }

    private static let places = around([0, block, 2 * block, 3 * block, size, 4 * block])

    /// All pairs of places, the first before the second.
    private static func ranges(_ places: [Int]) -> [Range<Int>] {
        places.flatMap { start in places.filter { $0 > start }.map { start..<$0 } }
    }

    private func fixture(_ count: Int) throws -> Fixture {
        let fixture = try Fixture()
        let text = String(decoding: Self.old, as: UTF8.self)
        try fixture.add(Dictionary(uniqueKeysWithValues: (0..<count).map { ("f\($0)", .file(text)) }))
        return fixture
    }

    private func truncate(_ path: String, _ size: Int, in tree: UnionTree) throws {
        var change = AttributeChange()
        change.size = UInt64(size)
        _ = try tree.change(tree.id(path), change)
    }

    /// Looks at all files twice: as they are, and as the next mount finds them.
    private func expect(
        _ models: [[UInt8]],
        _ what: (Int) -> String,
        _ fixture: Fixture,
        _ tree: inout UnionTree
    )
        throws
    {
        for isAgain in [false, true] {
            if isAgain {
                tree.close()
                tree = try UnionTree(lower: tree.lower, upper: nil)
                try fixture.waitUntilFree()
                tree = try fixture.union(metacopy: true)
            }
            for (number, model) in models.enumerated() {
                var buffer = [UInt8](repeating: 0xee, count: 8 * Self.block)
                let id = try tree.id("f\(number)")
                let count = try buffer.withUnsafeMutableBytes { try tree.read(id, into: $0, at: 0) }
                let found = buffer[..<count]
                let first = zip(found, model).enumerated().first { $0.element.0 != $0.element.1 }?.offset
                if found.count != model.count || first != nil {
                    Issue.record(
                        "\(what(number)), again \(isAgain): \(found.count) bytes of \(model.count), the first wrong one at \(first ?? -1)"
                    )
                }
            }
        }
    }

    private func write(_ range: Range<Int>, to path: String, _ model: inout [UInt8], in tree: UnionTree)
        throws
    {
        let new = [UInt8](repeating: 0xaa, count: range.count)
        let id = try tree.id(path)
        let written = try new.withUnsafeBytes {
            try tree.write(id, $0, at: UInt64(range.lowerBound), killsPrivileges: false)
        }
        #expect(written == range.count)
        if model.count < range.upperBound {
            model += repeatElement(0, count: range.upperBound - model.count)
        }
        model.replaceSubrange(range, with: new)
    }

    @Test func `touches no other byte`() throws {
        let ranges = Self.ranges(Self.places)
        let fixture = try fixture(ranges.count)
        var tree = try fixture.union(metacopy: true)
        let models = try ranges.enumerated().map { number, range in
            var model = Self.old
            try write(range, to: "f\(number)", &model, in: tree)
            return model
        }
        try expect(models, { "\(ranges[$0])" }, fixture, &tree)
    }

    @Test func `touches no other byte of a file that was cut off, or cut off and is long again`() throws {
        let ranges = Self.ranges(Self.around([0, Self.block, Self.limit, 2 * Self.block, Self.size]))
        for isLongAgain in [false, true] {
            let fixture = try fixture(ranges.count)
            var tree = try fixture.union(metacopy: true)
            let models = try ranges.enumerated().map { number, range in
                var model = Array(Self.old[..<Self.limit])
                try truncate("f\(number)", Self.limit, in: tree)
                if isLongAgain {
                    try truncate("f\(number)", Self.size, in: tree)
                    model += repeatElement(0, count: Self.size - Self.limit)
                }
                try write(range, to: "f\(number)", &model, in: tree)
                return model
            }
            try expect(models, { "\(ranges[$0]), long again: \(isLongAgain)" }, fixture, &tree)
        }
    }

    @Test func `touches no other byte where another write was before`() throws {
        // The second of them begins or ends in the first one's blocks.
        let ranges = Self.ranges(Self.around([Self.block, 2 * Self.block, Self.size]))
        let pairs = ranges.flatMap { first in ranges.map { (first, $0) } }
        let fixture = try fixture(pairs.count)
        var tree = try fixture.union(metacopy: true)
        let models = try pairs.enumerated().map { number, pair in
            var model = Self.old
            try write(pair.0, to: "f\(number)", &model, in: tree)
            try write(pair.1, to: "f\(number)", &model, in: tree)
            return model
        }
        try expect(models, { "\(pairs[$0])" }, fixture, &tree)
    }

    @Test func `is none where only the length changes, and what is cut off stays off`() throws {
        let pairs = Self.places.flatMap { first in Self.places.map { (first, $0) } }
        let fixture = try fixture(pairs.count)
        var tree = try fixture.union(metacopy: true)
        let models = try pairs.enumerated().map { number, pair in
            var model = Self.old
            for size in [pair.0, pair.1] {
                try truncate("f\(number)", size, in: tree)
                model = Array(model.prefix(size)) + [UInt8](repeating: 0, count: max(size - model.count, 0))
            }
            return model
        }
        try expect(models, { "\(pairs[$0])" }, fixture, &tree)
    }

    /// FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE, and room alone.
    @Test(arguments: [3, 0x10, 0] as [CInt]) func `is as good as what fallocate does there`(mode: CInt) throws
    {
        let ranges = Self.ranges(Self.places)
        let fixture = try fixture(ranges.count)
        var tree = try fixture.union(metacopy: true)
        let models = try ranges.enumerated().map { number, range in
            var model = Self.old
            let (offset, length) = (Int64(range.lowerBound), Int64(range.count))
            let id = try tree.id("f\(number)")
            try tree.allocate(id, mode: mode, offset: offset, length: length, killsPrivileges: false)
            if mode != 3 { model += repeatElement(0, count: max(range.upperBound - model.count, 0)) }
            if mode != 0 {
                for position in range where position < model.count { model[position] = 0 }
            }
            return model
        }
        try expect(models, { "mode \(mode), \(ranges[$0])" }, fixture, &tree)
    }
}
