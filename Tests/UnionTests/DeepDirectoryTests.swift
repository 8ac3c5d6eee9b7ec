import Glibc
import Linux
import SystemPackage
import Testing

import Union

/// Deeper than what the union keeps open: a directory is found by the way from the top, or from one in it.
@Suite(
    .timeLimit(.minutes(40)),
    Fixture.InBothForms(),
    .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root")
)
struct `A deep directory` {
    private static let levels = 130
    private static let moved = 60

    private func path(_ level: Int) -> String { Array(repeating: "d", count: level).joined(separator: "/") }

    private func isThere(_ path: String, _ fixture: Fixture) -> Bool {
        fixture.upper.pushing(FilePath(path)).exists
    }

    @Test func `is found from below, wherever that was moved`() throws {
        let fixture = try Fixture()
        try fixture.add(["d": .directory(["d": .directory(["lower": .file("1")])])])
        let tree = try fixture.union()
        for level in 1...Self.levels where level > 2 { try tree.mkdir(path(level)) }
        // The lowest are open. From there up, those above are found by what is in them.
        for level in (1...Self.levels).reversed() { try tree.touch("\(path(level))/up") }
        for level in 1...Self.levels { try tree.touch("\(path(level))/down") }
        // Now what is open is somewhere else, and there is another in its place.
        try tree.rename(path(Self.moved), to: "moved")
        try tree.mkdir(path(Self.moved))
        let rest = Self.levels - Self.moved
        for level in (1...Self.moved).reversed() { try tree.touch("\(path(level))/again") }
        for level in (1...rest).reversed() { try tree.touch("moved/\(path(level))/again") }
        try tree.touch("moved/again")
        for level in 1...Self.moved {
            try expect(isThere("\(path(level))/again", fixture))
            try expect(isThere("\(path(level))/up", fixture) == (level < Self.moved))
        }
        for level in 1...rest {
            for name in ["up", "down", "again"] {
                try expect(isThere("moved/\(path(level))/\(name)", fixture))
            }
        }
        for directory in (1...rest).reversed().map({ "moved/\(path($0))" }) + ["moved"] {
            try expect(tree.names(directory) == ["again", "down", "up"])
            for name in ["up", "down", "again"] { try tree.unlink("\(directory)/\(name)") }
            try tree.rmdir(directory)
        }
        try expect(tree.names("d/d") == ["again", "d", "down", "lower", "up"])
        try expect(tree.names("") == ["d"])
    }
}
