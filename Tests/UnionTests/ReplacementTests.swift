import Glibc
import Layers
import Linux
import Nodes
import SystemPackage
import Testing
import Union

@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "whiteouts and trusted xattrs need root"))
struct `What is made where something was deleted` {
    private static let names = (0..<20).map { "n\($0)" }

    /// Directories of which each has the same files.
    private func fixture(_ directories: [String]) throws -> Fixture {
        let fixture = try Fixture()
        let files = Dictionary(uniqueKeysWithValues: Self.names.map { ($0, Fixture.Item.file("old")) })
        try fixture.add(Dictionary(uniqueKeysWithValues: directories.map { ($0, .directory(files)) }))
        return fixture
    }

    private func workNames(_ fixture: Fixture) throws -> [String] {
        try fixture.directory.appending("work").names().map { String(decoding: $0, as: UTF8.self) }
    }

    private func expectStage(_ fixture: Fixture, isThere: Bool) throws {
        let names = try workNames(fixture).filter { !["links", "orphans", "whiteout"].contains($0) }
        #expect(names.count == (isThere ? 1 : 0), "\(names)")
        for name in names { try expect(fixture.directory.appending("work/\(name)").names() == []) }
    }

    @Test func `comes from one directory of the work directory, which stays empty and goes at the end`()
        throws
    {
        let fixture = try fixture(["a", "b"])
        let tree = try fixture.union()
        var stages: Set<String> = []
        for directory in ["a", "b", "a"] {
            for (number, name) in Self.names.enumerated() {
                let path = "\(directory)/\(name)"
                if number % 2 == 0 {
                    try tree.unlink(path)
                    try tree.touch(path)
                } else {
                    if try tree.stat(path)?.isDirectory == true {
                        try tree.rmdir(path)
                    } else {
                        try tree.unlink(path)
                    }
                    try tree.mkdir(path)
                }
                try expectStage(fixture, isThere: true)
                stages.formUnion(try workNames(fixture))
            }
            try expect(tree.names(directory).sorted() == Self.names.sorted())
        }
        #expect(stages.subtracting(["links", "orphans", "whiteout"]).count == 1)
        try expect(tree.contents("a/n0") == "")
        try expect(fixture.upperXattr("trusted.overlay.opaque", of: "a/n1") == [UInt8(ascii: "y")])
        tree.close()
        try expectStage(fixture, isThere: false)
    }

    @Test func `has the group and the default ACL of its own directory, whichever was used before`() throws {
        let fixture = try fixture(["plain", "group", "list"])
        let tree = try fixture.union()
        var change = AttributeChange()
        change.gid = 7
        change.mode = S_ISGID | 0o775
        _ = try tree.change(try tree.id("group"), change)
        // rwx for the owner and the group, nothing for others: user, group, other.
        let acl: [UInt8] =
            [2, 0, 0, 0] + [1, 7, 4, 7, 0x20, 0].chunks { [$0, 0, $1, 0, 255, 255, 255, 255] }
        try acl.withUnsafeBytes {
            try tree.setXattr("system.posix_acl_default", of: try tree.id("list"), to: $0, flags: 0)
        }
        for (number, name) in Self.names.enumerated() {
            for directory in ["plain", "group", "list"] {
                let path = "\(directory)/\(name)"
                try tree.unlink(path)
                let isDirectory = number % 2 == 1
                if isDirectory { try tree.mkdir(path) } else { try tree.touch(path, mode: S_IFREG | 0o666) }
                let made = try #require(try tree.stat(path))
                #expect(made.gid == (directory == "group" ? 7 : 0))
                #expect((made.mode & S_ISGID != 0) == (isDirectory && directory == "group"))
                // A default ACL applies instead of the caller's umask.
                let permissions: UInt32 =
                    switch (directory, isDirectory) {
                    case ("list", true): 0o750
                    case ("list", false): 0o660
                    case (_, true): 0o755
                    case (_, false): 0o644
                    }
                #expect(made.mode & 0o777 == permissions, "\(path)")
                let inherited = try tree.xattr("system.posix_acl_default", of: try tree.id(path))
                #expect((inherited != nil) == (isDirectory && directory == "list"))
            }
            try expectStage(fixture, isThere: true)
        }
    }
}

extension [UInt8] {
    fileprivate func chunks(_ body: (UInt8, UInt8) -> [UInt8]) -> [UInt8] {
        stride(from: 0, to: count, by: 2).flatMap { body(self[$0], self[$0 + 1]) }
    }
}
