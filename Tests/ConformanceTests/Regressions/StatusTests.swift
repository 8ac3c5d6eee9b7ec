import Linux
import MountFixtures
import SystemPackage
import Testing

import CLinux
import Foundation
import Glibc

/// What stat(2), statx(2) and their kin say of a mount, where it is made of more than one file.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `What is said of a file` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private static let ways: [[String]] = [[], ["-o", "io=passthrough"]]

    @Test(arguments: LowerForm.served, ways)
    func `is so quiet about copy-ups that tar sees no file change`(form: LowerForm, options: [String]) throws
    {
        let tree = try SmallTree(form, in: workspace, options: options)
        func archive(_ what: String) {
            #expect(throws: Never.self, "\(what)") {
                try Tool.run(
                    URL(fileURLWithPath: "/usr/bin/tar"),
                    [
                        "--acls", "--xattrs", "-C", tree.mount.path, "-cf", "\(workspace.path)/archive.tar",
                        ".",
                    ]
                )
            }
        }
        archive("before")
        try SmallTree.patch(tree.path("full/sub/deep"), "D", at: 0)
        archive("after a write")
        #expect(chmod(tree.path("full/below"), 0o600) == 0)
        #expect(setxattr(tree.path("other/name"), "user.a", "1", 1, 0) == 0)
        archive("after changes of attributes")
        #expect(rename(tree.path("other"), tree.path("full/other")) == 0)
        try SmallTree.patch(tree.path("large"), "L", at: 500_000)
        archive("after the rename of a directory")
    }

    @Test(arguments: LowerForm.served)
    func `is when it was made, and for a file of a layer when that was`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        func birth(_ path: String) throws -> [Int64] {
            var birth = clinux_birth()
            let result = clinux_get_birth(AT_FDCWD, path, &birth)
            guard result >= 0 else { throw Errno(rawValue: -result) }
            return [birth.seconds, Int64(birth.nanoseconds)]
        }
        try tree.write("new\n", to: "new")
        #expect(mkdir(tree.path("made"), 0o755) == 0)
        for name in ["new", "made"] {
            let made = try birth(tree.path(name))
            #expect(made[0] != 0)
            #expect(try made == birth("\(tree.mount.upper)/\(name)"))
            #expect(rename(tree.path(name), tree.path("\(name)-2")) == 0)
            #expect(try made == birth(tree.path("\(name)-2")))
        }
        for name in ["file", "full", "full/below", "link", "fifo", "name"] {
            // Layers of images don't say.
            let made = form == .image ? [0, 0] : try birth("\(tree.lowerDirectory)/\(name)")
            #expect(try made == birth(tree.path(name)), "\(name)")
            #expect(lchown(tree.path(name), 1, 1) == 0)
            #expect(try made == birth(tree.path(name)), "\(name)")
        }
        try tree.mount.remount()
        if form == .directory {
            #expect(try birth(tree.path("file")) == birth("\(tree.lowerDirectory)/file"))
        }
    }

    @Test func `is nothing of when it was made, asked for once, where no layer says it`() throws {
        let tree = try SmallTree(.image, in: workspace)
        try tree.mount.unmount()
        let only = try LayeredMount(of: tree.mount, options: ["-o", "ro"])
        var birth = clinux_birth()
        #expect(clinux_get_birth(AT_FDCWD, "\(only.path)/file", &birth) == 0)
        #expect(birth.seconds == 0)
    }

    @Test(
        arguments: LowerForm.served,
        [["-o", "noatime"], ["-o", "ro"], ["-o", "noatime,io=passthrough"]]
    )
    func `is not when it was read, where nobody wants to know that`(form: LowerForm, options: [String]) throws
    {
        let tree = try SmallTree(form, in: workspace)
        try tree.write("new\n", to: "new")
        #expect(symlink("new", tree.path("made-link")) == 0)
        #expect(mkdir(tree.path("made"), 0o755) == 0)
        try tree.write("new\n", to: "made/file")
        #expect(chmod(tree.path("full"), 0o700) == 0)
        try tree.mount.unmount()
        let roots = [tree.mount.upper] + (form == .directory ? [tree.lowerDirectory] : [])
        let names = [
            ".", "file", "full", "full/sub", "full/below", "link", "new", "made-link", "made", "made/file",
            "large",
        ]
        // Long ago, so that reading would move it.
        var before: [String: timespec] = [:]
        for path in roots.flatMap({ root in names.map { "\(root)/\($0)" } }) where FilePath(path).exists {
            let times = [
                timespec(tv_sec: 1_000_000, tv_nsec: 5), timespec(tv_sec: 2_000_000, tv_nsec: 5),
            ]
            #expect(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0)
            before[path] = times[0]
        }
        let mount = try LayeredMount(of: tree.mount, options: options)
        var shown: [String: Int] = [:]
        for name in names where FilePath("\(mount.path)/\(name)").exists {
            shown[name] = try FilePath("\(mount.path)/\(name)").status().st_atim.tv_sec
        }
        _ = try Tool.run(URL(fileURLWithPath: "/bin/ls"), ["-lR", mount.path])
        for name in ["file", "full/below", "new", "made/file", "large"] {
            _ = try SmallTree.read("\(mount.path)/\(name)")
            let file = try OwnedFD.open(FilePath("\(mount.path)/\(name)"), O_RDONLY)
            let map = file.use { mmap(nil, 1, PROT_READ, MAP_SHARED, $0, 0) }
            let start = try #require(map == MAP_FAILED ? nil : map)
            #expect(start.load(as: UInt8.self) != 0)
            munmap(start, 1)
        }
        for name in ["link", "made-link"] {
            var target = [CChar](repeating: 0, count: 100)
            #expect(readlink("\(mount.path)/\(name)", &target, 100) > 0)
        }
        for (name, time) in shown {
            #expect(try FilePath("\(mount.path)/\(name)").status().st_atim.tv_sec == time, "\(name)")
        }
        try mount.unmount()
        for (path, time) in before {
            #expect(try FilePath(path).status().st_atim.tv_sec == time.tv_sec, "\(path)")
        }
    }

    @Test(arguments: LowerForm.served, [[], ["-o", "nodiratime"]])
    func `is when a directory was listed, not when somebody looked for a name in it`(
        form: LowerForm,
        options: [String]
    ) throws {
        let tree = try SmallTree(form, in: workspace, options: options)
        #expect(mkdir(tree.path("made"), 0o755) == 0)
        try tree.write("new\n", to: "made/file")
        try tree.mount.unmount()
        for name in ["made", "made/file"] {
            let times = [timespec(tv_sec: 1_000_000, tv_nsec: 0), timespec(tv_sec: 2_000_000, tv_nsec: 0)]
            #expect(utimensat(AT_FDCWD, "\(tree.mount.upper)/\(name)", times, 0) == 0)
        }
        try tree.mount.mount()
        func accessed(_ name: String) throws -> Int {
            let inside = try tree.status(name).st_atim.tv_sec
            #expect(try FilePath("\(tree.mount.upper)/\(name)").status().st_atim.tv_sec == inside)
            return inside
        }
        #expect(try tree.status("made/file").st_size == 4)
        #expect(!tree.exists("made/absent"))
        #expect(try accessed("made") == 1_000_000)
        #expect(try tree.names("made") == ["file"])
        #expect(try accessed("made") > 2_000_000 || !options.isEmpty)
        #expect(try accessed("made") == 1_000_000 || options.isEmpty)
        #expect(try tree.read("made/file") == "new\n")
        #expect(try accessed("made/file") > 2_000_000)
    }

    @Test(arguments: LowerForm.served)
    func `is the time of its change, also where the kernel keeps what is written`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace, options: ["-o", "writeback=1"])
        for name in ["new", "file"] {
            try tree.write("contents\n", to: name)
            let before = try tree.status(name)
            usleep(50_000)
            try tree.open(name, O_RDWR).synchronize()
            // The kernel forgets what it knew.
            try OwnedFD.open("/proc/sys/vm/drop_caches", O_WRONLY).writeAll(Array("3".utf8))
            let after = try tree.status(name)
            #expect(after.st_ctim.tv_sec == before.st_ctim.tv_sec)
            #expect(after.st_ctim.tv_nsec == before.st_ctim.tv_nsec)
            #expect(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec)
            usleep(50_000)
            #expect(chmod(tree.path(name), 0o600) == 0)
            let changed = try tree.status(name).st_ctim
            #expect((changed.tv_sec, changed.tv_nsec) > (before.st_ctim.tv_sec, before.st_ctim.tv_nsec))
        }
    }

    @Test(arguments: LowerForm.served)
    func `is called by names that are bytes`(form: LowerForm) throws {
        let names = [[0xff], [0xfe], Array("\u{e9}".utf8), Array("e\u{301}".utf8)].map {
            "user." + XattrName($0)
        }
        let tree = try SmallTree(form, in: workspace) { lower in
            for (number, name) in names.enumerated() {
                try Xattr.set(name, [UInt8(number), 0xff], at: FilePath("\(lower)/file"))
            }
        }
        for round in 0..<3 {
            #expect(try Xattr.names(at: FilePath(tree.path("file"))).sorted() == names.sorted())
            for (number, name) in names.enumerated() {
                #expect(try Xattr.get(name, at: FilePath(tree.path("file"))) == [UInt8(number), 0xff])
            }
            if round == 0 { #expect(chmod(tree.path("file"), 0o600) == 0) } else { try tree.mount.remount() }
        }
    }

    @Test(arguments: [Filesystem.ext4, .xfs, .btrfs], LowerForm.served)
    func `is how many directories are in it, whether or not the upper's filesystem counts them`(
        filesystem: Filesystem,
        form: LowerForm
    ) throws {
        let tree = try SmallTree(form, in: workspace, uppers: filesystem.make(in: workspace)) { lower in
            #expect(mkdir("\(lower)/full/more", 0o755) == 0)
        }
        func links() throws -> UInt { UInt(try tree.status("full").st_nlink) }
        #expect(try links() == 4)
        #expect(chmod(tree.path("full/below"), 0o600) == 0)
        #expect(try links() == 4)
        for _ in 0..<2 {
            #expect(mkdir(tree.path("full/new"), 0o755) == 0)
            #expect(try links() == 5)
            #expect(rename(tree.path("full/new"), tree.path("full/newer")) == 0)
            #expect(rename(tree.path("full/more"), tree.path("away")) == 0)
            #expect(try links() == 4)
            #expect(tree.rename("full/newer", "file", flags: 2) == nil)
            #expect(try links() == 3)
            #expect(tree.rename("full/newer", "file", flags: 2) == nil)
            #expect(rename(tree.path("away"), tree.path("full/more")) == 0)
            #expect(rmdir(tree.path("full/newer")) == 0)
            #expect(chmod(tree.path("full/sub"), 0o700) == 0)
            #expect(try links() == 4)
            try tree.mount.remount()
            #expect(try links() == 4)
        }
    }
}
