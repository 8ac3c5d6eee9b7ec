import Glibc
import Linux
import SystemPackage
import Testing

import struct Foundation.UUID

@Suite(.timeLimit(.minutes(40))) struct `Reading a directory` {
    private func withDirectory(_ body: (FilePath) throws -> Void) throws {
        let directory = FilePath("/var/tmp").appending("mica-entries-\(UUID())")
        try directory.makeDirectory()
        defer { try? directory.removeTree() }
        try body(directory)
    }

    /// 400 names of 249 bytes take more than one getdents64(2).
    @Test func `gives each name once, however long they are together, and its type and number`() throws {
        try withDirectory { path in
            let directory = try OwnedFD.open(path, O_RDONLY | O_DIRECTORY)
            var expected: [[UInt8]: (kind: UInt8, ino: UInt64)] = [:]
            for number in 0..<400 {
                let name = Array("\(1000 + number)".utf8) + [UInt8](repeating: 0xe9, count: 245)
                if number % 3 == 0 {
                    try directory.makeDirectory(FileName(name), mode: 0o755)
                } else {
                    try directory.makeNode(FileName(name), mode: S_IFREG | 0o644, device: 0)
                }
                let status = try directory.status(of: FileName(name))
                expected[name] = (UInt8(number % 3 == 0 ? DT_DIR : DT_REG), UInt64(status.st_ino))
            }
            var found: [[UInt8]: (kind: UInt8, ino: UInt64)] = [:]
            try OwnedFD.open(path, O_RDONLY | O_DIRECTORY).readEntries { (name, kind, ino) throws(Errno) in
                #expect(found.updateValue((kind, ino), forKey: Array(name)) == nil)
            }
            #expect(found.count == expected.count)
            #expect(expected.allSatisfy { found[$0.key].map { $0 } ?? (0, 0) == $0.value })
            // The other way does not depend on what was read before.
            #expect(try directory.names().count == 400)
            #expect(try directory.names().count == 400)
        }
    }

    @Test func `a directory that is gone has no names, and a file is no directory`() throws {
        try withDirectory { path in
            let gone = path.appending("gone")
            try gone.makeDirectory()
            let directory = try OwnedFD.open(gone, O_RDONLY | O_DIRECTORY)
            try Errno.check(gone.withPlatformString { rmdir($0) })
            try directory.readEntries { (_, _, _) throws(Errno) in Issue.record("a name") }
            let file = try OwnedFD.open("/dev/null", O_RDONLY)
            #expect(throws: Errno.notDirectory) { try file.readEntries { (_, _, _) throws(Errno) in } }
        }
    }
}
