import Glibc
import Linux
import SystemPackage
import Testing

import struct Foundation.UUID

@Suite(.timeLimit(.minutes(40))) struct `Removing a tree` {
    private func withDirectory(in place: FilePath = "/var/tmp", _ body: (FilePath) throws -> Void) throws {
        let directory = place.appending("mica-removal-\(UUID())")
        try directory.makeDirectory()
        defer {
            for place in MountTable.current().targets(below: directory) {
                try? Unmount.unmount(place, .lazy)
            }
            try? directory.removeTree()
        }
        try body(directory)
    }

    /// Nothing stays open in there: the kernel would walk through all that is kept by it with each removal.
    private func makeDeep(_ directory: FilePath, levels: Int) throws {
        var current = try OwnedFD.open(directory, O_RDONLY | O_DIRECTORY)
        for level in 0..<levels {
            try Errno.check(current.use { mkdirat($0, "d", 0o755) })
            if level % 1000 == 0 {
                _ = try current.open("f", O_WRONLY | O_CREAT, mode: 0o600)
                try Errno.check(current.use { mkdirat($0, "e", 0o755) })
            }
            current = try current.open("d", O_RDONLY | O_DIRECTORY)
        }
    }

    /// Deeper than any path, than the stack of a thread, and than the descriptors of a process.
    @Test func `takes one of any depth`() throws {
        // Where it costs no disk, if there is such a place.
        try withDirectory(in: access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/var/tmp") { directory in
            try makeDeep(directory, levels: 60_000)
            try directory.appending("d").removeTree()
            #expect(try directory.names().map { String(decoding: $0, as: UTF8.self) }.sorted() == ["e", "f"])
        }
    }

    @Test func `holds a few descriptors however deep it is`() throws {
        try withDirectory { directory in
            var path = directory.appending("d")
            try path.makeDirectory()
            for _ in 0..<100 {
                path = path.appending("d")
                try path.makeDirectory()
            }
            // Those of this tree: other tests in this process open files, too.
            func open() throws(Errno) -> Int {
                let all = FilePath("/proc/self/fd")
                return try all.names().count { name in
                    let target = all.appending(String(decoding: name, as: UTF8.self)).target ?? []
                    return target.starts(with: "\(directory)/".utf8)
                }
            }
            var most = 0
            try TreeWalk.walk(
                Array("d".utf8),
                in: OwnedFD.open(directory, O_RDONLY | O_DIRECTORY),
                open: { (parent, name) throws(Errno) in try parent.openDirectory(name) },
                arrive: { (directory) throws(Errno) in
                    most = max(most, try open())
                    return try directory.names()
                }
            )
            #expect((2..<60).contains(most))
        }
    }

    @Test func `follows no symbolic link, and takes what its owner may not enter`() throws {
        try withDirectory { directory in
            let outside = directory.appending("outside")
            try outside.makeDirectories()
            _ = try OwnedFD.open(outside.appending("kept"), O_WRONLY | O_CREAT, mode: 0o600)
            let tree = directory.appending("tree")
            try tree.appending("closed/inner").makeDirectories()
            try Errno.check(symlink(outside.string, tree.appending("link").string))
            try Errno.check(symlink(outside.string, tree.appending("closed/link").string))
            try Errno.check(chmod(tree.appending("closed").string, 0))
            try tree.removeTree()
            #expect(!tree.exists)
            #expect(outside.appending("kept").exists)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "mounts"), arguments: [UInt(0), UInt(MS_BIND)])
    func `does not enter what is mounted in it`(flags: UInt) throws {
        try withDirectory { directory in
            let tree = directory.appending("tree")
            let place = tree.appending("a/b/mounted")
            try place.makeDirectories()
            let other = directory.appending("other")
            try other.makeDirectory()
            try Errno.check(
                mount(other.string, place.string, flags == 0 ? "tmpfs" : nil, flags, nil)
            )
            #expect(place.isMountPoint && !tree.isMountPoint)
            _ = try OwnedFD.open(place.appending("kept"), O_WRONLY | O_CREAT, mode: 0o600)
            let error = #expect(throws: Errno.self) { try tree.removeTree() }
            #expect(error?.rawValue == EXDEV)
            #expect(place.appending("kept").exists)
            #expect(MountTable.current().targets(below: tree) == [place])
            try Unmount.unmount(place, .lazy)
            #expect(!place.isMountPoint)
            try tree.removeTree()
            #expect(!tree.exists)
        }
    }
}
