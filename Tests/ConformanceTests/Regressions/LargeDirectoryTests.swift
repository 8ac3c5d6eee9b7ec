import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// A directory of 100,000 names, most of them of the lower.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A large directory` {
    private static let below = 99_000
    private static let made = 1000

    /// Names with positions, `.` and `..` included, as readdir(3) gives them.
    private func list(_ stream: OpaquePointer) -> [(name: String, position: Int)] {
        var entries: [(name: String, position: Int)] = []
        while true {
            let position = telldir(stream)
            guard let name = next(stream) else { return entries }
            entries.append((name, position))
        }
    }

    private func next(_ stream: OpaquePointer) -> String? {
        guard let entry = readdir(stream) else { return nil }
        return withUnsafeBytes(of: &entry.pointee.d_name) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    @Test(arguments: LowerForm.served)
    func `lists every name once, and seekdir finds every position again`(form: LowerForm) throws {
        let workspace = try Workspace()
        let tree = try SmallTree(form, in: workspace) { lower in
            try FilePath("\(lower)/large-one").makeDirectory()
            for number in 0..<Self.below {
                try Errno.check(mknod("\(lower)/large-one/below\(number)", S_IFREG | 0o600, 0))
            }
        }
        let directory = tree.path("large-one")
        for number in 0..<Self.made {
            try Errno.check(mknod("\(directory)/made\(number)", S_IFREG | 0o600, 0))
        }
        // Every hundredth of the lower is deleted, every other hundredth made anew.
        for number in stride(from: 0, to: Self.below, by: 100) {
            try Errno.check(unlink("\(directory)/below\(number)"))
            if number % 200 == 0 {
                try Errno.check(mknod("\(directory)/below\(number)", S_IFREG | 0o600, 0))
            }
        }
        var expected = Set((0..<Self.below).filter { $0 % 100 != 0 || $0 % 200 == 0 }.map { "below\($0)" })
        expected.formUnion((0..<Self.made).map { "made\($0)" })
        expected.formUnion([".", ".."])

        // Closed before the daemon is waited for.
        do {
            let stream = try #require(opendir(directory))
            defer { closedir(stream) }
            let entries = list(stream)
            #expect(entries.count == expected.count)
            #expect(Set(entries.map(\.name)) == expected)
            #expect(Set(entries.map(\.position)).count == entries.count)
            for index in stride(from: entries.count - 1, through: 0, by: -997) {
                seekdir(stream, entries[index].position)
                #expect(next(stream) == entries[index].name)
            }
            // From the middle, while names before and behind it come and go.
            let middle = entries.count / 2
            seekdir(stream, entries[middle].position)
            let untouched = entries[middle...].map(\.name).filter { !$0.hasPrefix("made") }
            for number in 0..<Self.made { try Errno.check(unlink("\(directory)/made\(number)")) }
            for number in 0..<Self.made {
                try Errno.check(mknod("\(directory)/new\(number)", S_IFREG | 0o600, 0))
            }
            let rest = list(stream).map(\.name)
            #expect(Set(rest).count == rest.count)
            #expect(rest.filter { $0.hasPrefix("below") } == untouched)
            rewinddir(stream)
            #expect(list(stream).count == expected.count)
        }
        try tree.mount.unmount()
    }
}
