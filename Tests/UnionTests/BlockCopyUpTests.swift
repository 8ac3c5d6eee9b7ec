import Glibc
import Linux
import Overlay
import MountFixtures
import Nodes
import Synchronization
import SystemPackage
import Testing
import Union

@Suite(
    .timeLimit(.minutes(40)),
    Fixture.InBothForms(),
    .enabled(if: geteuid() == 0, "trusted xattrs need root")
)
struct `A copy-up by writing` {
    private static let mark: XattrName = "trusted.overlay.metacopy"
    private static let limit: XattrName = "trusted.overlay.mica.limit"
    /// Odd, and more than one step of the thread that fills.
    private static let size = 50_123
    private static let old = (0..<size).map { UInt8(truncatingIfNeeded: $0 % 251) | 1 }

    private func fixture() throws -> Fixture {
        let fixture = try Fixture()
        let text = String(decoding: Self.old.map { $0 & 0x7f }, as: UTF8.self)
        try fixture.add([
            "file": .file(text), "other": .file(text), "small": .file("small"), "empty": .file(""),
            "h1": .shared("h", contents: text), "e": .directory(["h2": .shared("h", contents: text)]),
        ])
        return fixture
    }

    private var old: [UInt8] { Self.old.map { $0 & 0x7f } }

    private func remount(_ fixture: Fixture, _ tree: inout UnionTree) throws {
        tree.close()
        tree = try UnionTree(lower: tree.lower, upper: nil)
        try fixture.waitUntilFree()
        tree = try fixture.union(metacopy: true)
    }

    private func bytes(_ path: String, in tree: UnionTree) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0xee, count: 1 << 18)
        let count = try buffer.withUnsafeMutableBytes { try tree.read(tree.id(path), into: $0, at: 0) }
        return Array(buffer[..<count])
    }

    /// The same must be there before and after a remount, in pieces too.
    private func expect(
        _ path: String,
        is expected: [UInt8],
        _ fixture: Fixture,
        _ tree: inout UnionTree,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        for isAgain in [false, true] {
            if isAgain { try remount(fixture, &tree) }
            let found = try bytes(path, in: tree)
            #expect(found.count == expected.count, "again: \(isAgain)", sourceLocation: location)
            let first = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            #expect(first == nil, "the first wrong byte; again: \(isAgain)", sourceLocation: location)
            var piece = [UInt8](repeating: 0, count: 5000)
            let start = min(3000, expected.count)
            let count = try piece.withUnsafeMutableBytes {
                try tree.read(tree.id(path), into: $0, at: UInt64(start))
            }
            #expect(
                Array(piece[..<count]) == Array(expected[start...].prefix(5000)),
                sourceLocation: location
            )
        }
    }

    private func write(_ path: String, _ bytes: [UInt8], at offset: Int, in tree: UnionTree) throws {
        let count = try bytes.withUnsafeBytes {
            try tree.write(tree.id(path), $0, at: UInt64(offset), killsPrivileges: false)
        }
        #expect(count == bytes.count)
    }

    private func truncate(_ path: String, _ size: Int, in tree: UnionTree) throws {
        var change = AttributeChange()
        change.size = UInt64(size)
        _ = try tree.change(tree.id(path), change)
    }

    private func allocate(_ path: String, _ mode: CInt, _ range: Range<Int>, in tree: UnionTree) throws {
        try tree.allocate(
            tree.id(path),
            mode: mode,
            offset: Int64(range.lowerBound),
            length: Int64(range.count),
            killsPrivileges: false
        )
    }

    /// What has data in the upper file.
    private func extents(_ fixture: Fixture, _ path: String) throws -> [Range<Int>] {
        let fd = try OwnedFD.open(fixture.upper.pushing(FilePath(path)), O_RDONLY)
        var found: [Range<Int>] = []
        var position = 0
        while true {
            let data = lseek(fd.raw, position, SEEK_DATA)
            guard data >= 0 else { return found }
            position = lseek(fd.raw, data, SEEK_HOLE)
            found.append(data..<position)
        }
    }

    private func isPartial(_ fixture: Fixture, _ path: String) throws -> Bool {
        try fixture.upperXattr(Self.mark, of: path)?.count == 3
    }

    @Test func `copies the blocks that are written, and no others`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        let before = try #require(try tree.stat("file"))
        var model = old
        for (offset, count) in [(5000, 1), (12288, 4096), (20_000, 3000), (Self.size - 2, 2)] {
            let new = [UInt8](repeating: 0xaa, count: count)
            try write("file", new, at: offset, in: tree)
            model.replaceSubrange(offset..<offset + count, with: new)
        }
        #expect(try isPartial(fixture, "file"))
        #expect(try extents(fixture, "file") == [4096..<8192, 12288..<24576, 49152..<Self.size])
        #expect(try tree.stat("file")?.id == before.id)
        try expect("file", is: model, fixture, &tree)
        let after = try #require(try tree.stat("file"))
        #expect(after.ino == before.ino)
        #expect(after.blocks >= before.blocks)
        #expect(try firstDifference(bytes("other", in: tree), from: old) == nil)
    }

    @Test func `copies all where it was not asked to leave the data`() throws {
        let fixture = try fixture()
        let tree = try fixture.union()
        try write("file", [1], at: 5000, in: tree)
        #expect(try fixture.upperXattr(Self.mark, of: "file") == nil)
        #expect(try extents(fixture, "file") == [0..<Self.size])
    }

    @Test func `goes on after one of attributes, whatever a crash left there`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        var change = AttributeChange()
        change.mode = 0o600
        _ = try tree.change(tree.id("file"), change)
        #expect(try fixture.upperXattr(Self.mark, of: "file") == [])
        try OwnedFD.open(fixture.upper.appending("file"), O_WRONLY).writeAll(Array("half".utf8))
        try write("file", [0xaa], at: 40_000, in: tree)
        #expect(try isPartial(fixture, "file"))
        var model = old
        model[40_000] = 0xaa
        try expect("file", is: model, fixture, &tree)
        try #expect(tree.stat("file")?.mode == S_IFREG | 0o600)
    }

    @Test(arguments: [0, 1, 4096, 6000, 50_000, 50_123])
    func `forgets what was cut off, when it grows again`(cut: Int) throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try write("file", [0xaa], at: 5000, in: tree)
        var model = old
        model[5000] = 0xaa
        model = Array(model.prefix(cut))
        try truncate("file", cut, in: tree)
        try expect("file", is: model, fixture, &tree)
        model += [UInt8](repeating: 0, count: 60_000 - cut)
        try truncate("file", 60_000, in: tree)
        try expect("file", is: model, fixture, &tree)
        for offset in [cut + 10, 45_000, 59_000] {
            try write("file", [0xbb], at: offset, in: tree)
            model[offset] = 0xbb
        }
        try expect("file", is: model, fixture, &tree)
        try truncate("file", 100, in: tree)
        try write("file", [0xcc], at: 200, in: tree)
        model = model.prefix(100) + [UInt8](repeating: 0, count: 100) + [0xcc]
        try expect("file", is: model, fixture, &tree)
    }

    @Test func `is cut off at once where nothing of it is to stay`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try truncate("file", 0, in: tree)
        #expect(try fixture.upperXattr(Self.mark, of: "file") == nil)
        try write("other", [1], at: 1, in: tree)
        try truncate("other", 0, in: tree)
        #expect(try fixture.upperXattr(Self.mark, of: "other") == nil)
        try write("other", [2], at: 5000, in: tree)
        try expect("other", is: [UInt8](repeating: 0, count: 5000) + [2], fixture, &tree)
    }

    @Test(arguments: [3, 0x10, 0x11] as [CInt])
    func `has zeros where a hole was punched, or a range zeroed`(mode: CInt) throws {
        for range in [
            0..<1, 4096..<8192, 5000..<30_000, 4000..<4100, 45_000..<60_000, 0..<70_000, 55_000..<56_000,
        ] {
            let fixture = try fixture()
            var tree = try fixture.union(metacopy: true)
            try write("file", [0xaa, 0xaa], at: 9000, in: tree)
            var model = old
            model.replaceSubrange(9000..<9002, with: [0xaa, 0xaa])
            try allocate("file", mode, range, in: tree)
            if mode & 1 == 0, range.upperBound > model.count {
                model += [UInt8](repeating: 0, count: range.upperBound - model.count)
            }
            for position in range where position < model.count { model[position] = 0 }
            try expect("file", is: model, fixture, &tree)
            // And grows, and is written to.
            try write("file", [0xbb], at: 65_000, in: tree)
            if model.count < 65_001 { model += [UInt8](repeating: 0, count: 65_001 - model.count) }
            model[65_000] = 0xbb
            try write("file", [0xcc], at: 46_001, in: tree)
            model[46_001] = 0xcc
            try expect("file", is: model, fixture, &tree)
        }
    }

    @Test func `keeps its data when room is allocated, and when writes follow`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        var model = old
        try allocate("file", 0, 10_000..<30_000, in: tree)
        try allocate("file", 1, 48_000..<80_000, in: tree)
        try write("file", [0xaa], at: 20_000, in: tree)
        model[20_000] = 0xaa
        try expect("file", is: model, fixture, &tree)
        try allocate("file", 0, 48_000..<80_000, in: tree)
        model += [UInt8](repeating: 0, count: 80_000 - model.count)
        try expect("file", is: model, fixture, &tree)
    }

    @Test func `is copied to and from`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try write("file", [0xaa], at: 9000, in: tree)
        try write("other", [0xbb], at: 30_000, in: tree)
        var (file, other) = (old, old)
        file[9000] = 0xaa
        other[30_000] = 0xbb
        let ids = (try tree.id("file"), try tree.id("other"))
        func copy(_ from: UInt64, _ source: Int, _ to: UInt64, _ target: Int, _ count: Int) throws {
            var done = 0
            while done < count {
                let copied = try tree.copyRange(
                    from: from,
                    at: UInt64(source + done),
                    to: to,
                    at: UInt64(target + done),
                    count: count - done,
                    killsPrivileges: false
                )
                #expect(copied > 0)
                guard copied > 0 else { return }
                done += copied
            }
        }
        try copy(ids.0, 8000, ids.1, 20_001, 9000)
        other.replaceSubrange(20_001..<29_001, with: file[8000..<17_000])
        try copy(ids.1, 29_500, ids.0, 500, 2000)
        file.replaceSubrange(500..<2500, with: other[29_500..<31_500])
        try copy(ids.0, 40_000, ids.0, 60_000, 5000)
        file += [UInt8](repeating: 0, count: 60_000 - file.count) + file[40_000..<45_000]
        try expect("file", is: file, fixture, &tree)
        try expect("other", is: other, fixture, &tree)
    }

    @Test func `has data where either has some`() throws {
        let fixture = try fixture()
        let tree = try fixture.union(metacopy: true)
        try write("file", [0xaa], at: 9000, in: tree)
        let id = try tree.id("file")
        #expect(try tree.seek(id, offset: 100, whence: SEEK_DATA) == 100)
        #expect(try tree.seek(id, offset: 100, whence: SEEK_HOLE) == Int64(Self.size))
        try truncate("file", 100_000, in: tree)
        try write("file", [0xbb], at: 90_112, in: tree)
        #expect(try tree.seek(id, offset: 0, whence: SEEK_HOLE) >= Int64(Self.size))
        #expect(try tree.seek(id, offset: 0, whence: SEEK_HOLE) < 60_000)
        #expect(try tree.seek(id, offset: 60_000, whence: SEEK_DATA) == 90_112)
        #expect(errno { _ = try tree.seek(id, offset: 100_000, whence: SEEK_DATA) } == ENXIO)
    }

    @Test func `is over with the sync that finds all of it there`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        let new = [UInt8](repeating: 0xaa, count: Self.size)
        for start in stride(from: 0, to: Self.size, by: 10_000) {
            try write("file", Array(new[start..<min(start + 10_000, Self.size)]), at: start, in: tree)
            #expect(try isPartial(fixture, "file"))
        }
        try tree.synchronize(tree.id("file"), dataOnly: true)
        #expect(try fixture.upperXattr(Self.mark, of: "file") == nil)
        try allocate("file", 3, 0..<4096, in: tree)
        #expect(try extents(fixture, "file").first?.lowerBound == 4096)
        try expect("file", is: [UInt8](repeating: 0, count: 4096) + new[4096...], fixture, &tree)
    }

    @Test func `is one file under all its names, wherever they are`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try write("h1", [0xaa], at: 9000, in: tree)
        var model = old
        model[9000] = 0xaa
        try expect("e/h2", is: model, fixture, &tree)
        #expect(try tree.stat("h1")?.nlink == 2)
        try tree.rename("h1", to: "e/h3")
        try tree.link("e/h3", as: "h4")
        try tree.unlink("e/h2")
        try tree.rename("e", to: "f")
        try write("h4", [0xbb], at: 1, in: tree)
        model[1] = 0xbb
        try expect("f/h3", is: model, fixture, &tree)
        try expect("h4", is: model, fixture, &tree)
    }

    @Test func `is read and written while it has no name any more`() throws {
        let fixture = try fixture()
        let tree = try fixture.union(metacopy: true)
        try write("file", [0xaa], at: 9000, in: tree)
        let id = try tree.id("file")
        try tree.unlink("file")
        _ = try [UInt8(0xbb)].withUnsafeBytes { try tree.write(id, $0, at: 20_000, killsPrivileges: false) }
        var buffer = [UInt8](repeating: 0, count: Self.size)
        let count = try buffer.withUnsafeMutableBytes { try tree.read(id, into: $0, at: 0) }
        var model = old
        model[9000] = 0xaa
        model[20_000] = 0xbb
        #expect(firstDifference(Array(buffer[..<count]), from: model) == nil)
        tree.forget(id, 1000)
    }

    @Test func `brings everything before a capability, and keeps the times`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try write("file", [0xaa], at: 9000, in: tree)
        var change = AttributeChange()
        change.mtime = .at(seconds: 1_234_567_890, nanoseconds: 5)
        _ = try tree.change(tree.id("file"), change)
        // VFS_CAP_REVISION_2 with CAP_NET_RAW permitted.
        let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let id = try tree.id("file")
        try capability.withUnsafeBytes { try tree.setXattr("security.capability", of: id, to: $0, flags: 0) }
        #expect(try fixture.upperXattr(Self.mark, of: "file") == nil)
        #expect(try tree.xattr("security.capability", of: id) == capability)
        #expect(try tree.stat("file")?.mtime.seconds == 1_234_567_890)
        var model = old
        model[9000] = 0xaa
        try expect("file", is: model, fixture, &tree)
    }

    @Test func `is materialized with all that was changed, and others can read it`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try write("file", [0xaa], at: 9000, in: tree)
        try write("h1", [0xbb], at: 0, in: tree)
        try tree.rename("other", to: "e/moved")
        try remount(fixture, &tree)
        let count = try tree.materialize { _ in Issue.record("nothing is lost") }
        #expect(count == 3)
        var (file, shared) = (old, old)
        file[9000] = 0xaa
        shared[0] = 0xbb
        for (path, model) in [("file", file), ("h1", shared), ("e/h2", shared), ("e/moved", old)] {
            #expect(try fixture.upperXattr(Self.mark, of: path) == nil)
            let disk = try OwnedFD.open(fixture.upper.pushing(FilePath(path)), O_RDONLY)
            #expect(try firstDifference(disk.contents(limit: 1 << 20), from: model) == nil)
            try expect(path, is: model, fixture, &tree)
        }
        #expect(try tree.materialize { _ in } == 0)
    }

    @Test func `gives the kernel a file only where it is in one place`() throws {
        let fixture = try fixture()
        let tree = try fixture.union(metacopy: true)
        try write("file", [0xaa], at: 9000, in: tree)
        let id = try tree.id("file")
        #expect(try tree.wholeFile(of: id) == nil)
        #expect(!tree.hasOneFile(id))
        try tree.prepareWriting(tree.id("small"), isTruncating: false, killsPrivileges: false)
        #expect(try isPartial(fixture, "small"))
        _ = try tree.materialize { _ in }
        #expect(try tree.wholeFile(of: id) != nil)
        #expect(tree.hasOneFile(id))
        #expect(try tree.wholeFile(of: NodeID.root) == nil)
        // It may be written to while it is open.
        #expect(try tree.wholeFile(of: tree.id("other")) == nil)
        #expect(!tree.hasOneFile(try tree.id("other")))
        // It may not where there is no upper. What is packed with others has no file of its own.
        let readOnly = try UnionTree(lower: fixture.lower(), upper: nil)
        #expect(try (readOnly.wholeFile(of: readOnly.id("other")) != nil) == (Fixture.form == .directories))
    }

    @Test func `is not taken for a file of a layer`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        // An image's layers are no directories.
        guard !fixture.directories.isEmpty else { return }
        try write("file", [0xaa], at: 9000, in: tree)
        tree.close()
        tree = try UnionTree(lower: tree.lower, upper: nil)
        let stack = try DirectoryStack(
            layers: [fixture.upper] + fixture.directories.reversed(),
            marks: .trusted
        )
        let above = try UnionTree(lower: stack, upper: nil)
        #expect(errno { _ = try bytes("file", in: above) } == EIO)
        #expect(try firstDifference(bytes("other", in: above), from: old) == nil)
        try fixture.waitUntilFree()
        _ = try fixture.union(metacopy: true).materialize { _ in }
        let materialized = try DirectoryStack(
            layers: [fixture.upper] + fixture.directories.reversed(),
            marks: .trusted
        )
        try #expect(bytes("file", in: UnionTree(lower: materialized, upper: nil))[9000] == 0xaa)
    }

    @Test func `answers EIO for a mark that it does not know`() throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        try write("file", [0xaa], at: 9000, in: tree)
        try Xattr.set(Self.mark, [1, 2], at: fixture.upper.appending("file"))
        try remount(fixture, &tree)
        #expect(errno { _ = try bytes("file", in: tree) } == EIO)
        #expect(errno { try write("file", [1], at: 0, in: tree) } == EIO)
    }

    @Test(arguments: [false, true])
    func `loses nothing to writers of parts of the same blocks, nor to who fills it meanwhile`(
        isMaterializing: Bool
    ) throws {
        let fixture = try fixture()
        var tree = try fixture.union(metacopy: true)
        let writers = 8
        try write(to: tree, with: writers, isMaterializing: isMaterializing)
        var model = old
        for start in stride(from: 0, to: Self.size, by: 1000) {
            let end = min(start + 1000, Self.size)
            for position in start + 5..<end - 5 { model[position] = UInt8(200 + start / 1000 % writers) }
        }
        try expect("file", is: model, fixture, &tree)
    }

    /// Pieces of 1,000 bytes, so that four writers meet in each block.
    private func write(to tree: UnionTree, with writers: Int, isMaterializing: Bool) throws {
        let id = try tree.id("file")
        let results = Results()
        var threads: [WorkerThread] = []
        if isMaterializing {
            try write("file", [old[0]], at: 0, in: tree)
            threads.append(try WorkerThread { if (try? tree.materialize { _ in }) == nil { results.fail() } })
        }
        for number in 0..<writers {
            threads.append(
                try WorkerThread {
                    for start in stride(from: number * 1000, to: Self.size, by: writers * 1000) {
                        let count = min(1000, Self.size - start)
                        let piece = [UInt8](repeating: UInt8(200 + number), count: count - 10)
                        let written = try? piece.withUnsafeBytes {
                            try tree.write(id, $0, at: UInt64(start + 5), killsPrivileges: false)
                        }
                        if written != piece.count { results.fail() }
                    }
                }
            )
        }
        for thread in threads { thread.join() }
        #expect(results.failures == 0)
    }

    private final class Results: Sendable {
        private let count = Atomic(0)
        func fail() { count.wrappingAdd(1, ordering: .relaxed) }
        var failures: Int { count.load(ordering: .relaxed) }
    }
}
