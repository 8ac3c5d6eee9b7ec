import Glibc
import Linux
import SystemPackage
import Testing

import struct Foundation.UUID

@Suite(.timeLimit(.minutes(40))) struct `Replacing a file` {
    @Test(arguments: [true, false]) func `gives the new content and mode, and leaves nothing else`(
        durably: Bool
    ) throws {
        let directory = FilePath("/var/tmp/mica-replace-\(UUID())")
        try directory.makeDirectory()
        defer { try? directory.removeTree() }
        let path = directory.appending("file")
        try path.replace(with: [1, 2, 3], mode: 0o644, durably: durably)
        let before = try OwnedFD.open(path, O_RDONLY)
        try path.replace(with: [4], mode: 0o600, durably: durably)
        #expect(try OwnedFD.open(path, O_RDONLY).contents(limit: 10) == [4])
        #expect(try path.status().st_mode & 0o777 == 0o600)
        #expect(try before.contents(limit: 10) == [1, 2, 3])
        #expect(try directory.names() == [Array("file".utf8)])
    }

    @Test func `that can't be done leaves the old one`() throws {
        let directory = FilePath("/var/tmp/mica-replace-\(UUID())")
        try directory.makeDirectory()
        defer { try? directory.removeTree() }
        let path = directory.appending("file")
        try path.appending("in the way").makeDirectories()
        #expect(throws: Errno.self) { try path.replace(with: [1], mode: 0o600, durably: true) }
        #expect(try directory.names() == [Array("file".utf8)])
    }
}
