import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// A container can make directories that are deeper than any path, than a process's descriptors and than its stack.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A tree that is deeper than any path` {
    /// Few descriptors, and little stack for each thread.
    private static func narrow(_ descriptors: Int) -> [String] {
        ["/usr/bin/prlimit", "--nofile=\(descriptors):\(descriptors)", "--stack=1048576:1048576"]
    }
    /// What a daemon keeps open, and a little more.
    private static let daemon = narrow(200)

    /// `levels` directories "m" in one another, in each a file "f", and directories "a" and "z" beside: the walk has to do
    /// something in each directory before the one below it and after.
    private func make(_ levels: Int, in directory: String) throws {
        var current = try OwnedFD.open(FilePath(directory), O_RDONLY | O_DIRECTORY)
        for _ in 0..<levels {
            for name in ["a", "m", "z"] { try Errno.check(current.use { mkdirat($0, name, 0o755) }) }
            _ = try current.open("f", O_WRONLY | O_CREAT, mode: 0o600)
            current = try current.open("m", O_RDONLY | O_DIRECTORY)
        }
    }

    /// A store with an image and a snapshot of it that was mounted once, and its upper.
    private func store(_ workspace: Workspace) throws -> (MicaStore, upper: String) {
        let store = MicaStore(root: "\(workspace.path)/store")
        try store.load([[.file("file", "of the image")]], as: "base:1", using: workspace)
        let mount = try workspace.directory("mount")
        try store.run("mount", ["--rw", "--name", "k", "base:1", mount])
        try store.run("umount", [mount])
        return (store, try store.upper())
    }

    @discardableResult
    private func narrowly(_ store: MicaStore, _ arguments: [String]) throws -> String {
        let command =
            Self.narrow(64) + [Tool.binaries.appendingPathComponent("mica").path, "--root", store.root]
        return try Tool.run(URL(fileURLWithPath: command[0]), Array(command.dropFirst()) + arguments)
    }

    private func expected(_ levels: Int) -> [String] {
        let ways = (0..<levels).map { String(repeating: "/m", count: $0) }
        return ways.flatMap { way in ["a", "f", "m"].map { "A \(way)/\($0)" } }
            + ways.reversed().map { "A \($0)/z" }
    }

    @Test func `is compared with its image, checked and removed`() throws {
        let workspace = try Workspace()
        let (store, upper) = try store(workspace)
        try make(3000, in: upper)
        let lines = try narrowly(store, ["diff", "k"]).split(separator: "\n").map(String.init)
        let expected = expected(3000)
        #expect(lines.count == expected.count)
        #expect(zip(lines, expected).first { $0 != $1 } == nil)
        #expect(try narrowly(store, ["fsck"]).contains("in order"))
        let failure = #expect(throws: Failure.self) { try narrowly(store, ["commit", "k", "new:1"]) }
        #expect(
            failure?.description.contains("Linux takes 4095") == true,
            "\("\(failure as Any)".suffix(1000))"
        )
        #expect(failure?.description.contains("Rename or remove it") == true)
        try narrowly(store, ["snapshot", "rm", "k"])
        #expect(!FilePath(upper).exists)
    }

    @Test func `is committed as far as others could unpack it`() throws {
        let workspace = try Workspace()
        let (store, upper) = try store(workspace)
        // The longest path: "m/m/…/z/" in 4094 bytes.
        try make(2047, in: upper)
        try narrowly(store, ["commit", "k", "new:1"])
        let lines = try narrowly(store, ["diff", "base:1", "new:1"]).split(separator: "\n").map(String.init)
        let expected = expected(2047)
        #expect(lines.count == expected.count)
        #expect(zip(lines, expected).first { $0 != $1 } == nil)
        #expect(try narrowly(store, ["diff", "new:1", "k"]).isEmpty)
    }

    /// What notes where it was has no end, and what a filesystem keeps of a file has one.
    @Test func `of a layer is moved where that can be noted, and else another program may copy it`() throws {
        let workspace = try Workspace()
        let root = try workspace.directory("lower")
        let levels = 4500
        var current = try OwnedFD.open(FilePath(root), O_RDONLY | O_DIRECTORY)
        for level in 0..<levels {
            if level == 100 || level == levels - 1 {
                for name in ["dir", "other"] { try Errno.check(current.use { mkdirat($0, name, 0o755) }) }
                for name in ["dir/file", "file"] {
                    try current.open(FilePath(name), O_WRONLY | O_CREAT, mode: 0o644).writeAll([1, 2, 3])
                }
            }
            try Errno.check(current.use { mkdirat($0, "m", 0o755) })
            current = try current.open("m", O_RDONLY | O_DIRECTORY)
        }
        let mount = try LayeredMount(
            Lower(root, as: .directory, in: workspace),
            in: workspace,
            options: ["-o", "metacopy=on"],
            launcher: Self.daemon
        )
        func walk(_ body: (borrowing OwnedFD, Int) throws -> Void) throws {
            var current = try OwnedFD.open(FilePath(mount.path), O_RDONLY | O_DIRECTORY)
            for level in 0..<levels {
                if level == 100 || level == levels - 1 { try body(current, level) }
                current = try current.open("m", O_RDONLY | O_DIRECTORY)
            }
        }
        try walk { directory, level in
            for (old, new) in [("dir", "other/moved"), ("file", "other/moved.file")] {
                let result = directory.use { renameat($0, old, $0, new) }
                let reason = Errno.last
                if level == 100 { #expect(result == 0, "\(old)") }
                #expect(result == 0 || reason == .improperLink, "\(old): \(reason)")
            }
        }
        try mount.unmount()
        try mount.mount(launcher: Self.daemon)
        try walk { directory, level in
            for (old, new) in [("dir/file", "other/moved/file"), ("file", "other/moved.file")] {
                let isThere = directory.use { faccessat($0, old, F_OK, 0) } == 0
                #expect(!isThere || level != 100)
                let found = try directory.open(FilePath(isThere ? old : new), O_RDONLY).contents(limit: 10)
                #expect(found == [1, 2, 3])
            }
        }
        current = try OwnedFD.open("/", O_RDONLY | O_DIRECTORY)
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `is made, found again, moved and materialized`(form: LowerForm) throws {
        let workspace = try Workspace()
        let root = try workspace.directory("lower")
        try SmallTree.write("old", to: "\(try workspace.directory("lower/dir"))/file")
        let mount = try LayeredMount(
            Lower(root, as: form, in: workspace),
            in: workspace,
            launcher: Self.daemon
        )
        let levels = 6000
        var current = try OwnedFD.open(FilePath(mount.path), O_RDONLY | O_DIRECTORY)
        for _ in 0..<levels {
            try Errno.check(current.use { mkdirat($0, "m", 0o755) })
            current = try current.open("m", O_RDONLY | O_DIRECTORY)
        }
        try current.open("bottom", O_WRONLY | O_CREAT, mode: 0o600).writeAll(Array("deep".utf8))
        // Far above what the daemon has open.
        for _ in 0..<300 { current = try current.open("..", O_RDONLY | O_DIRECTORY) }
        try Errno.check(current.use { mkdirat($0, "between", 0o755) })
        // So that the next mount looks for renamed directories, everywhere.
        #expect(rename("\(mount.path)/dir", "\(mount.path)/m/renamed") == 0)
        // Its data stays below.
        #expect(chmod("\(mount.path)/m/renamed/file", 0o600) == 0)
        current = try OwnedFD.open("/", O_RDONLY | O_DIRECTORY)
        for _ in 0..<2 {
            try mount.unmount()
            try mount.mount(launcher: Self.daemon)
            #expect(try SmallTree.read("\(mount.path)/m/renamed/file") == "old")
            var deep = try OwnedFD.open(FilePath(mount.path), O_RDONLY | O_DIRECTORY)
            for level in 0..<levels {
                if level == levels - 300 { _ = try deep.open("between", O_RDONLY | O_DIRECTORY) }
                deep = try deep.open("m", O_RDONLY | O_DIRECTORY)
            }
            #expect(try deep.open("bottom", O_RDONLY).contents(limit: 10) == Array("deep".utf8))
        }
        // What the kernel no longer knows is let go from the bottom to the top.
        try Data("2\n".utf8).write(to: URL(fileURLWithPath: "/proc/sys/vm/drop_caches"))
        #expect(try SmallTree.read("\(mount.path)/m/renamed/file") == "old")
        try mount.unmount()
        try mount.materialize(launcher: Self.daemon)
        #expect(try SmallTree.read("\(mount.upper)/m/renamed/file") == "old")
        // And goes as it came, from the bottom to the top.
        try mount.mount(launcher: Self.daemon)
        try FilePath("\(mount.path)/m").removeTree()
        #expect(try FilePath(mount.path).names() == [])
        try mount.unmount()
    }
}
