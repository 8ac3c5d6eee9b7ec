import Linux
import MountFixtures
import Nodes
import Testing

import Union

/// What a reader of a directory gets while the directory changes.
@Suite(.timeLimit(.minutes(40)), Fixture.InBothForms())
struct `A listing` {
    private static let low = (0..<60).map { "low \($0)" }
    private static let up = (0..<60).map { "up \($0)" }
    private static let all = low + up

    /// A directory that has half of its names from the lower.
    private func tree(_ fixture: Fixture) throws -> UnionTree {
        try fixture.add([
            "d": .directory(Dictionary(uniqueKeysWithValues: Self.low.map { ($0, .file("")) }))
        ])
        let tree = try fixture.union()
        for name in Self.up { try tree.touch("d/\(name)") }
        return tree
    }

    /// A stream in a directory, which can go on in another tree.
    private struct Stream {
        let directory: UInt64
        var position: UInt64 = 0
        private(set) var offsets: [UInt64] = []

        init(_ directory: UInt64) { self.directory = directory }

        /// At most so many names that `.` and `..` are not among; none at the end.
        mutating func next(_ count: Int, in tree: UnionTree) throws -> [String] {
            var names: [String] = []
            try tree.list(directory, from: position, isCounting: false) { (entry) throws(FSError) in
                guard names.count < count else { return false }
                position = entry.next
                offsets.append(position)
                let name = String(decoding: entry.name, as: UTF8.self)
                if name != ".", name != ".." { names.append(name) }
                return true
            }
            return names
        }
    }

    /// What a loop does with each name it is handed.
    enum Change: String, CaseIterable, Sendable {
        case away, awayAndBack, replaced, madeAgain, copiedUp, removed

        func make(_ name: String, in tree: UnionTree) throws {
            let path = "d/\(name)"
            switch self {
            case .away: try tree.rename(path, to: "\(path).bak")
            case .awayAndBack:
                try tree.rename(path, to: "d/elsewhere")
                try tree.rename("d/elsewhere", to: path)
            case .replaced:
                try tree.touch("d/new")
                try tree.rename("d/new", to: path)
            case .madeAgain:
                try tree.unlink(path)
                try tree.touch(path)
            case .copiedUp: try tree.write(path, "changed")
            case .removed: try tree.unlink(path)
            }
        }
    }

    @Test(arguments: Change.allCases, [1, 3, 1000])
    func `comes to an end, whatever is done with each name that it hands out`(_ change: Change, _ count: Int)
        throws
    {
        let fixture = try Fixture()
        let tree = try tree(fixture)
        var stream = Stream(try tree.id("d"))
        var seen: [String] = []
        while seen.count < 100 * Self.all.count {
            let names = try stream.next(count, in: tree)
            if names.isEmpty { break }
            seen += names
            for name in names where name != "new" && name != "elsewhere" { try change.make(name, in: tree) }
        }
        #expect(seen.count < 20 * Self.all.count)
        #expect(Set(seen).count == seen.count)
        #expect(Set(Self.all).isSubset(of: seen))
        // What fits into one answer is all there is, whatever comes later.
        if count == 1000 { #expect(seen.sorted() == Self.all.sorted()) }
    }

    @Test func `has every name that stays, once, however many go while it is read`() throws {
        let fixture = try Fixture()
        let tree = try tree(fixture)
        var stream = Stream(try tree.id("d"))
        var seen = try stream.next(40, in: tree)
        for (number, name) in Self.all.enumerated() where number % 3 != 0 { try tree.unlink("d/\(name)") }
        while case let names = try stream.next(7, in: tree), !names.isEmpty { seen += names }
        #expect(Set(seen).count == seen.count)
        let stayed = stride(from: 0, to: Self.all.count, by: 3).map { Self.all[$0] }
        #expect(Set(stayed).isSubset(of: seen))
        let rest = seen.dropFirst(40)
        #expect(Set(rest).isSubset(of: stayed))
    }

    /// The kernel goes on where it was, whichever thread answers, and wherever the names are by then.
    @Test func `goes on where it was in another daemon, and when all has become lower`() throws {
        let (fixture, other) = (try Fixture(), try Fixture())
        var seen: [String] = []
        var stream: Stream
        do {
            let tree = try tree(fixture)
            stream = Stream(try tree.id("d"))
            seen += try stream.next(25, in: tree)
            tree.close()
        }
        try fixture.waitUntilFree()
        do {
            let again = try fixture.union()
            #expect(try again.id("d") == stream.directory)
            seen += try stream.next(25, in: again)
            again.close()
        }
        try other.add([
            "d": .directory(Dictionary(uniqueKeysWithValues: Self.all.map { ($0, .file("")) }))
        ])
        let lowered = try other.union()
        var rest = Stream(try lowered.id("d"))
        rest.position = stream.position
        seen += try rest.next(1000, in: lowered)
        #expect(seen.sorted() == Self.all.sorted())
    }

    @Test func `has positions that 32-bit programs can hold, and a last one behind which nothing comes`()
        throws
    {
        let fixture = try Fixture()
        let tree = try tree(fixture)
        var stream = Stream(try tree.id("d"))
        _ = try stream.next(1000, in: tree)
        #expect(stream.offsets.count == Self.all.count + 2)
        #expect(stream.offsets == stream.offsets.sorted())
        #expect(Set(stream.offsets).count == stream.offsets.count)
        #expect(stream.offsets.allSatisfy { $0 <= 0x7fff_ffff })
        for number in 0..<100 { try tree.touch("d/later \(number)") }
        #expect(try stream.next(1000, in: tree) == [])
    }

    private static let positions: [UInt64] = [
        3, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 1 << 61, 1 << 62, 0x4000_0000_0000_0001, .max,
    ]

    /// A caller that seeks may give any.
    @Test(arguments: positions)
    func `begins at any position`(_ position: UInt64) throws {
        let fixture = try Fixture()
        let tree = try tree(fixture)
        for directory in ["d", ""] {
            var stream = Stream(try tree.id(directory))
            stream.position = position
            let names = try stream.next(1000, in: tree)
            #expect(Set(names).count == names.count)
        }
    }
}

/// Names whose hashes are alike, of which chance gives too few to test with.
@Suite(.timeLimit(.minutes(40)))
struct `Names with one key` {
    private static let seeds: ClosedRange<UInt64> = 1...20

    @Test(arguments: seeds)
    func `are handed out once each, wherever the listing stops`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        // Few keys, and few that differ in their upper bits.
        let keys = (0..<12).map { _ in
            UInt64.random(in: 2..<6, using: &generator) << 17 | UInt64.random(in: 0..<3, using: &generator)
        }
        let lower = NameOrder((0..<30).map { .init(key: keys[$0 % 12], number: UInt32($0)) })
        let upper = NameOrder((0..<30).map { .init(key: keys[$0 * 5 % 12], number: UInt32($0)) })
        func list(from start: NamePosition) -> [(position: NamePosition, source: ListingCursor.Source)] {
            var cursor = ListingCursor(lower: lower, upper: upper, from: start)
            var found: [(NamePosition, ListingCursor.Source)] = []
            while let next = cursor.next() { found.append(next) }
            return found
        }
        let all = list(from: NamePosition(key: 0, rank: 0))
        #expect(all.count == 60)
        for (index, entry) in all.enumerated() {
            for next in [index + 1 < all.count ? all[index + 1].position : nil, nil] {
                let offset = entry.position.offset(before: next)
                guard let start = NamePosition(offset: offset) else {
                    Issue.record("nothing follows \(offset)")
                    continue
                }
                #expect(list(from: start).map(\.source) == all[(index + 1)...].map(\.source))
            }
        }
    }
}
