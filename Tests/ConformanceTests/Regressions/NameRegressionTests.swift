import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// The same, about names and directories.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `Known mistakes of others, about names` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    @Test(arguments: LowerForm.served)
    func `a directory renamed over an emptied lower directory shows nothing that was deleted`(form: LowerForm)
        throws
    {
        let tree = try SmallTree(form, in: workspace)
        for name in ["full/below", "full/sub/deep"] { #expect(unlink(tree.path(name)) == 0) }
        #expect(rmdir(tree.path("full/sub")) == 0)
        #expect(mkdir(tree.path("made"), 0o755) == 0)
        try tree.write("in made\n", to: "made/kept")
        #expect(tree.rename("made", "full") == nil)
        for _ in 0..<2 {
            #expect(try tree.names("full") == ["kept"])
            #expect(!tree.exists("full/below") && !tree.exists("made"))
            try tree.mount.remount()
        }
    }

    @Test(arguments: LowerForm.served)
    func `a directory made again, or under a deleted one's name, is empty`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        for name in ["full/below", "full/sub/deep"] { #expect(unlink(tree.path(name)) == 0) }
        for name in ["full/sub", "full"] { #expect(rmdir(tree.path(name)) == 0) }
        #expect(mkdir(tree.path("full"), 0o755) == 0)
        #expect(mkdir(tree.path("full/sub"), 0o755) == 0)
        for _ in 0..<2 {
            #expect(try tree.names("full") == ["sub"])
            #expect(try tree.names("full/sub") == [])
            try tree.mount.remount()
        }
    }

    @Test(arguments: LowerForm.served) func `RENAME_NOREPLACE onto a deleted name succeeds`(form: LowerForm)
        throws
    {
        let tree = try SmallTree(form, in: workspace)
        #expect(unlink(tree.path("name")) == 0)
        #expect(tree.rename("file", "name", flags: 1) == nil)
        #expect(try tree.read("name") == "lower file\n")
        #expect(tree.rename("name", "large", flags: 1) == .fileExists)
        #expect(rmdir(tree.path("empty")) == 0)
        #expect(tree.rename("full", "empty", flags: 1) == nil)
        #expect(try tree.names("empty") == ["below", "sub"])
    }

    @Test(arguments: LowerForm.served) func `a lower directory can be renamed`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        let before = try tree.status("full/sub/deep").st_ino
        #expect(tree.rename("full", "other/moved") == nil)
        #expect(tree.rename("other/moved/sub", "sub") == nil)
        for _ in 0..<2 {
            #expect(!tree.exists("full"))
            #expect(try tree.names("other/moved") == ["below"])
            #expect(try tree.read("other/moved/below") == "below\n")
            #expect(try tree.read("sub/deep") == "deep\n")
            #expect(try tree.status("sub/deep").st_ino == before)
            try tree.mount.remount()
        }
        #expect(tree.rename("sub", "other", flags: 2) == nil)
        #expect(try tree.names("sub") == ["moved", "name"])
        #expect(try tree.names("other") == ["deep"])
    }

    /// The other names of its files have nothing in the upper, and are found by what was noted of the directory.
    @Test(arguments: LowerForm.served, [["other/name", "moved"], ["name", "elsewhere"]])
    func `a hard link in a lower directory that was renamed stays one file with its other name`(
        form: LowerForm,
        first: [String]
    ) throws {
        for options in [[], ["-o", "metacopy=on"], ["-o", "metacopy=off"]] {
            let own = try Workspace(in: workspace.path)
            defer { withExtendedLifetime(own) {} }
            let tree = try SmallTree(form, in: own, options: options) { lower in
                try FilePath("\(lower)/other/in").makeDirectory()
                try Errno.check(link("\(lower)/name", "\(lower)/other/in/third"))
            }
            let inode = try tree.status("name").st_ino
            #expect(tree.rename("other", first[1]) == nil)
            #expect(tree.rename("\(first[1])/in", "in") == nil)
            try tree.mount.remount()
            let names = ["name", "\(first[1])/name", "in/third"]
            let written = first[0] == "name" ? names[0] : names[1]
            try SmallTree.patch(tree.path(written), "ONE", at: 0)
            for _ in 0..<3 {
                for name in names {
                    #expect(
                        try tree.read(name) == "ONE of two names\n",
                        "\(name), written by \(written), \(options)"
                    )
                    #expect(try tree.status(name).st_ino == inode)
                    #expect(try tree.status(name).st_nlink == 3)
                }
                try tree.mount.remount()
            }
            #expect(unlink(tree.path(names[2])) == 0)
            #expect(try tree.status(names[0]).st_nlink == 2)
            try tree.mount.unmount()
        }
    }

    @Test(arguments: LowerForm.served) func `names of 255 bytes can be made, hidden and renamed`(
        form: LowerForm
    ) throws {
        let names = ["l", "m", "n", "o"].map { String(repeating: $0, count: 255) }
        let tree = try SmallTree(form, in: workspace) { lower in
            try SmallTree.write("long\n", to: "\(lower)/\(names[0])")
            try FilePath("\(lower)/\(names[1])").makeDirectory()
        }
        try tree.write("made\n", to: names[2])
        #expect(try tree.read(names[0]) == "long\n")
        #expect(unlink(tree.path(names[0])) == 0)
        #expect(rmdir(tree.path(names[1])) == 0)
        #expect(tree.rename(names[2], names[0]) == nil)
        #expect(mkdir(tree.path(names[1]), 0o755) == 0)
        try tree.mount.remount()
        #expect(try tree.read(names[0]) == "made\n")
        #expect(tree.exists(names[1]) && !tree.exists(names[2]))
        #expect(mkdir(tree.path(names[3] + "x"), 0o755) == -1)
        #expect(Errno.last == .fileNameTooLong)
    }

    @Test(arguments: LowerForm.served)
    func `stat of one file does not wait for the copy-up of another`(form: LowerForm) throws {
        let disk = try LoopDisk(in: workspace, megabytes: 64)
        let tree = try SmallTree(form, in: workspace, uppers: disk.path)
        let daemon = try tree.mount.daemon()
        let file = try tree.open("large", O_WRONLY).release()
        defer { close(file) }
        // Nothing can be written to the upper now: the copy-up hangs.
        try disk.freeze()
        let writer = try WorkerThread { _ = Glibc.write(file, "x", 1) }
        while try !WorkerState.isWaiting(daemon) { usleep(1000) }
        let found = try ["file", "full/below", "other/name"].map { try tree.status($0).st_size }
        let content = try tree.read("full/sub/deep")
        try disk.thaw()
        writer.join()
        #expect(found == [11, 6, 17])
        #expect(content == "deep\n")
        #expect(try tree.read("large").prefix(2) == "x1")
    }
}

/// What the threads of a process are doing.
enum WorkerState {
    /// Whether one of them waits for a filesystem.
    static func isWaiting(_ pid: pid_t) throws -> Bool {
        for name in try FilePath("/proc/\(pid)/task").names() {
            let path = "/proc/\(pid)/task/\(String(decoding: name, as: UTF8.self))/stat"
            let text = try SmallTree.read(path)
            // "PID (name) STATE …"
            if text.split(separator: ")").last?.split(separator: " ").first == "D" { return true }
        }
        return false
    }
}
