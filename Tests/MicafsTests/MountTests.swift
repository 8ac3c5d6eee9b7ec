import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

private let micafs = Tool.binaries.appendingPathComponent("micafs")

/// micafs as a program: what its options do to a real mount.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts")) struct `A mount by micafs` {
    private let workspace: Workspace

    init() throws {
        workspace = try Workspace()
        // Others than root are to reach what is in it.
        chmod(workspace.path, 0o755)
    }

    /// Files `a` (5:6), `b` (70000:70000) and `dir` (0:0, 0777) with a directory `in`.
    private func lower(_ form: LowerForm) throws -> Lower {
        let directory = try workspace.directory("lower")
        for (name, uid, gid) in [("a", 5, 6), ("b", 70_000, 70_000)] as [(String, UInt32, UInt32)] {
            let file = try OwnedFD.open(FilePath("\(directory)/\(name)"), O_WRONLY | O_CREAT, mode: 0o644)
            try file.writeAll(Array(name.utf8))
            chown("\(directory)/\(name)", uid, gid)
        }
        try FilePath("\(directory)/dir/in").makeDirectories()
        chmod("\(directory)/dir", 0o777)
        return try Lower(directory, as: form, in: workspace)
    }

    private func mount(_ form: LowerForm, _ options: String...) throws -> LayeredMount {
        try LayeredMount(lower(form), in: workspace, options: options.flatMap { ["-o", $0] })
    }

    private func owner(_ path: String) throws -> [UInt32] {
        let status = try FilePath(path).status()
        return [status.st_uid, status.st_gid]
    }

    @discardableResult
    private func run(_ program: String, _ arguments: String...) throws -> String {
        try Tool.run(URL(fileURLWithPath: "/usr/bin/env"), [program] + arguments)
    }

    private func run(as id: String, _ program: String, _ arguments: String...) throws {
        try Tool.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["setpriv", "--reuid", id, "--regid", id, "--clear-groups", program] + arguments
        )
    }

    @Test func `finds a store and a chain that are named from the working directory`() throws {
        let workspace = try Workspace()
        let tree = try workspace.directory("lower")
        try OwnedFD.open(FilePath("\(tree)/file"), O_WRONLY | O_CREAT, mode: 0o644).writeAll(
            Array("text".utf8)
        )
        let lower = try Lower(tree, as: .image, in: workspace)
        var arguments = lower.arguments(upper: "upper", work: "work")
        for name in ["upper", "work", "mount"] { _ = try workspace.directory(name) }
        arguments = arguments.map {
            $0.hasPrefix(workspace.path) ? String($0.dropFirst(workspace.path.utf8.count + 1)) : $0
        }
        let micafs = Tool.binaries.appendingPathComponent("micafs").path
        let line = ([micafs] + arguments + ["mount"]).joined(separator: " ")
        try Tool.run(URL(fileURLWithPath: "/bin/sh"), ["-ec", "cd '\(workspace.path)'; \(line)"])
        let found = try OwnedFD.open(FilePath("\(workspace.path)/mount/file"), O_RDONLY).contents(limit: 100)
        #expect(found == Array("text".utf8))
        var status = statvfs()
        #expect(statvfs("\(workspace.path)/mount", &status) == 0)
    }

    /// Of lowers never; of an upper not where the mount says so.
    @Test(arguments: ["rw", "ro", "noatime", "nodiratime"])
    func `changes no time of access of a layer's directory by reading it`(option: String) throws {
        let workspace = try Workspace()
        let tree = try workspace.directory("lower")
        try FilePath("\(tree)/dir/below").makeDirectories()
        try Errno.check(symlink("dir", "\(tree)/link"))
        let lower = try Lower(tree, as: .directory, in: workspace)
        let mount = try LayeredMount(lower, in: workspace)
        try FilePath("\(mount.path)/made/in").makeDirectories()
        try mount.unmount()
        // So that relatime would change it.
        let old = [timespec(tv_sec: 1_000_000_000, tv_nsec: 0), timespec(tv_sec: 1_100_000_000, tv_nsec: 0)]
        let layers = ["\(tree)", "\(tree)/dir", "\(tree)/dir/below", "\(tree)/link"]
        let uppers = ["\(mount.upper)/made", "\(mount.upper)/made/in"]
        for path in layers + uppers { #expect(utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW) == 0) }
        let again = try LayeredMount(of: mount, options: ["-o", option])
        try Tool.run(URL(fileURLWithPath: "/bin/ls"), ["-lR", again.path])
        try again.unmount()
        for path in option == "rw" ? layers : layers + uppers {
            #expect(try FilePath(path).status().st_atim.tv_sec == 1_000_000_000, "\(path)")
        }
    }

    @Test(arguments: LowerForm.allCases) func `shows other owners and records its own`(form: LowerForm) throws
    {
        let mount = try mount(form, "uidmapping=0:100000:65536,gidmapping=:0:200000:65536")
        for (name, expected) in [
            ("", [100_000, 200_000]), ("/a", [100_005, 200_006]), ("/b", [65534, 65534]),
        ]
            as [(String, [UInt32])]
        {
            #expect(try owner(mount.path + name) == expected, "\(name)")
        }
        try run(
            "setpriv",
            "--reuid",
            "100033",
            "--regid",
            "200044",
            "--clear-groups",
            "mkdir",
            "\(mount.path)/dir/new"
        )
        #expect(try owner("\(mount.path)/dir/new") == [100_033, 200_044])
        #expect(try owner("\(mount.upper)/dir/new") == [33, 44])
        // Root itself is nobody here, and so is what it makes.
        #expect(mkdir("\(mount.path)/dir/root", 0o755) == 0)
        #expect(try owner("\(mount.upper)/dir/root") == [65534, 65534])
        #expect(chown("\(mount.path)/a", 100_009, 200_009) == 0)
        #expect(try owner("\(mount.upper)/a") == [9, 9])
        #expect(chown("\(mount.path)/a", 5, UInt32.max) == -1)
        #expect(Errno.last == .invalidArgument)
        try run("setfacl", "-m", "u:100007:r", "\(mount.path)/a")
        #expect(try run("getfacl", "-cnp", "\(mount.path)/a").contains("user:100007:r--"))
        #expect(try run("getfacl", "-cnp", "\(mount.upper)/a").contains("user:7:r--"))
        try mount.remount()
        #expect(try owner("\(mount.path)/a") == [100_009, 200_009])
        #expect(try owner("\(mount.path)/dir/new") == [100_033, 200_044])
    }

    @Test(arguments: LowerForm.allCases) func `shows one owner for all`(form: LowerForm) throws {
        let mount = try mount(form, "squash_to_root,squash_to_gid=9")
        for name in ["", "/a", "/b", "/dir/in"] {
            #expect(try owner(mount.path + name) == [0, 9], "\(name)")
        }
        try run(as: "77", "mkdir", "\(mount.path)/dir/new")
        #expect(try owner("\(mount.path)/dir/new") == [0, 9])
        #expect(try owner("\(mount.upper)/dir/new") == [77, 77])
    }

    @Test(arguments: LowerForm.allCases, ["1", "2"]) func `keeps owners and modes in attributes`(
        form: LowerForm,
        kind: String
    ) throws {
        let attribute: XattrName =
            kind == "1" ? "security.fuseoverlayfs.override_stat" : "user.containers.override_stat"
        let mount = try mount(form, "xattr_permissions=\(kind)")
        try run(as: "77", "mkdir", "\(mount.path)/dir/new")
        #expect(chown("\(mount.path)/a", 1000, 1001) == 0)
        #expect(chmod("\(mount.path)/a", 0o4711) == 0)
        for _ in 1...2 {
            #expect(try owner("\(mount.path)/a") == [1000, 1001])
            #expect(try FilePath("\(mount.path)/a").status().st_mode & 0o7777 == 0o4711)
            #expect(try owner("\(mount.path)/dir/new") == [77, 77])
            #expect(try !Xattr.names(at: FilePath("\(mount.path)/a")).contains(attribute))
            try mount.remount()
        }
        #expect(try Xattr.get(attribute, at: FilePath("\(mount.upper)/a")) == Array("1000:1001:4711".utf8))
        #expect(try Xattr.get(attribute, at: FilePath("\(mount.upper)/dir/new")) == Array("77:77:755".utf8))
        #expect(try owner("\(mount.upper)/dir/new") == [0, 0])
    }

    @Test(arguments: LowerForm.allCases) func `has no ACLs, no attributes and one link, if so asked`(
        form: LowerForm
    ) throws {
        let withoutACLs = try mount(form, "noacl,static_nlink")
        #expect(throws: (any Error).self) { try run("setfacl", "-m", "u:7:r", "\(withoutACLs.path)/a") }
        try Xattr.set("user.x", [1], at: FilePath("\(withoutACLs.path)/a"))
        #expect(try FilePath("\(withoutACLs.path)/dir").status().st_nlink == 1)
        try withoutACLs.unmount()
        let bare = try mount(form, "noxattrs=1")
        #expect(throws: Errno.notSupported) { try Xattr.set("user.x", [1], at: FilePath("\(bare.path)/a")) }
        #expect(try FilePath("\(bare.path)/dir").status().st_nlink == 3)
    }

    @Test func `is called and flagged as asked`() throws {
        let mount = try mount(.image, "fsname=a\\,b,subtype=x,nosuid,nodev,noatime,private")
        // What others unmount meanwhile makes a reader of the table skip lines.
        var entry: MountTable.Entry?
        for _ in 0..<100 where entry == nil { entry = MountTable.current().top(at: FilePath(mount.path)) }
        #expect(entry?.type == "fuse.x")
        #expect(entry?.source == "a,b")
        var status = statvfs()
        #expect(statvfs(mount.path, &status) == 0)
        #expect(status.f_flag & 0x40f == UInt(MS_NOSUID | MS_NODEV | MS_NOATIME))
    }

    @Test func `says who it is`() throws {
        let version = try Tool.run(micafs, ["--version"])
        #expect(version.hasPrefix("micafs \(Version.current)\nfuse-overlayfs: version 1."))
        #expect(version.contains("\nFUSE library version 3."))
        #expect(try Tool.run(micafs, ["-h"]).hasPrefix("usage: micafs [options] <mountpoint>\n"))
    }

    @Test func `goes where nobody waits for it any more`() throws {
        let lower = try workspace.directory("lower")
        let target = try workspace.directory("mount")
        // A pipe that will never be read: opened for both, once more for writing, and the first closed.
        let script = """
            mkfifo "$1.pipe"; exec 3<>"$1.pipe" 4>"$1.pipe" 3<&-
            exec "$2" --ready-fd 4 -o "lowerdir=$3" "$1"
            """
        try run("sh", "-c", script, "sh", target, micafs.path, lower)
        #expect(MountTable.current().top(at: FilePath(target)) == nil)
    }

    @Test(arguments: [
        (["-o", "lowerdir=/tmp,sideways", "/nowhere"], 2, "unknown option sideways"),
        (["--lock-fd", "99", "--chain", "/nothing", "--store", "/tmp", "/nowhere"], 2, "--lock-fd 99"),
        (["--chain", "/nothing", "--store", "/tmp", "/nowhere"], 1, "/nothing"),
        (["-o", "lowerdir=/nothing/there", "/nowhere"], 1, "/nothing/there"),
    ]) func `says what it will not do, and why`(arguments: [String], status: Int, words: String) {
        let failure = #expect(throws: Failure.self) { try Tool.run(micafs, arguments) }
        let message = failure?.message ?? ""
        #expect(message.contains("exit status \(status)\nmicafs: ") && message.contains(words), "\(message)")
    }

    @Test(arguments: LowerForm.allCases) func `leaves times of access alone with noatime`(form: LowerForm)
        throws
    {
        let mount = try mount(form, "noatime")
        let upper = "\(mount.upper)/new"
        try OwnedFD.open(FilePath("\(mount.path)/new"), O_WRONLY | O_CREAT, mode: 0o644).writeAll([1, 2, 3])
        let old = timespec(tv_sec: 1000, tv_nsec: 0)
        _ = try Errno.check(utimensat(AT_FDCWD, "\(mount.path)/new", [old, old], 0))
        // Read by the daemon, not from the kernel's cache.
        let file = try OwnedFD.open(FilePath("\(mount.path)/new"), O_RDONLY)
        _ = file.use { posix_fadvise($0, 0, 0, POSIX_FADV_DONTNEED) }
        #expect(try file.contents(limit: 10) == [1, 2, 3])
        #expect(try FilePath(upper).status().st_atim.tv_sec == 1000)
        #expect(try FilePath("\(mount.path)/new").status().st_atim.tv_sec == 1000)
    }

    @Test(arguments: LowerForm.allCases)
    func `has everything in the upper with writeback when a file is closed`(
        form: LowerForm
    ) throws {
        let mount = try mount(form, "writeback=1")
        let upper = FilePath("\(mount.upper)/new")
        do {
            let file = try OwnedFD.open(FilePath("\(mount.path)/new"), O_WRONLY | O_CREAT, mode: 0o644)
            for _ in 0..<1000 { try file.writeAll([1, 2, 3]) }
            #expect(try file.status().st_size == 3000)
        }
        #expect(try upper.status().st_size == 3000)
        // Of a lower file the rest of the page has to be read first.
        do {
            let file = try OwnedFD.open(FilePath("\(mount.path)/b"), O_WRONLY, mode: 0)
            try [UInt8(ascii: "B")].withUnsafeBytes { try file.writeAll($0, at: 3) }
            try file.synchronize()
        }
        try mount.remount()
        #expect(
            try OwnedFD.open(FilePath("\(mount.path)/b"), O_RDONLY).contents(limit: 10)
                == [UInt8(ascii: "b"), 0, 0, UInt8(ascii: "B")]
        )
        let time = timespec(tv_sec: 1000, tv_nsec: 0)
        _ = try Errno.check(utimensat(AT_FDCWD, "\(mount.path)/new", [time, time], 0))
        try mount.remount()
        #expect(try FilePath("\(mount.path)/new").status().st_mtim.tv_sec == 1000)
    }
}
