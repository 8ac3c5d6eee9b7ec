import Glibc
import Linux
import Scratch
import SystemPackage
import Testing

import struct Foundation.UUID

@Suite(.timeLimit(.minutes(40)))
struct `The way of a walk` {
    private static let depth = 200

    /// Enters as many directories, each in the one before.
    private func descend(_ way: DirectoryWay, from root: FilePath) throws -> [WayDirectory] {
        var directories = [try WayDirectory(OwnedFD.open(root, O_RDONLY | O_DIRECTORY))]
        way.enter(directories[0])
        for level in 0..<Self.depth {
            let above = try directories[level].opened()
            try above.fd.makeDirectory(FileName("d"), mode: 0o755)
            let next = try WayDirectory(above.fd.openDirectory(Array("d".utf8)))
            way.enter(next)
            directories.append(next)
        }
        return directories
    }

    private func isOpen(_ directory: WayDirectory) -> Bool { (try? directory.opened()) != nil }

    @Test(arguments: [0, 32]) func `has few of its directories open, and each again on the way back`(
        mostOpen: Int
    ) throws {
        let root = FilePath("\(Scratch.prefix("way"))\(UUID())")
        try root.makeDirectories()
        defer { try? root.removeTree() }
        let way = DirectoryWay(mostOpen: mostOpen)
        let directories = try descend(way, from: root)
        #expect(directories.filter(isOpen).count == mostOpen + 1)
        for directory in directories.reversed() {
            #expect(way.last === directory && isOpen(directory))
            way.enter(nil)
            try way.leave(nil)
            try way.leave(directory)
        }
        #expect(way.last == nil)
    }

    @Test func `ends where a directory on it was moved`() throws {
        let root = FilePath("\(Scratch.prefix("way"))\(UUID())")
        try root.makeDirectories()
        defer { try? root.removeTree() }
        let way = DirectoryWay()
        var directories = try descend(way, from: root)
        try root.appending("d/d").rename(to: root.appending("moved"))
        let error = #expect(throws: Errno.self) {
            while let directory = directories.popLast() { try way.leave(directory) }
        }
        #expect(error?.rawValue == ESTALE && directories.count == 2)
    }
}
