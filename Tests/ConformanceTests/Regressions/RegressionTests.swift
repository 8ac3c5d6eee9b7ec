import Linux
import MountFixtures
import SystemPackage
import Testing

import CLinux
import Glibc

/// What a well-known FUSE filesystem of this kind does wrong, and kernel overlayfs in part: one test each.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `Known mistakes of others, about files` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    @Test(arguments: LowerForm.served)
    func `a lower file that is open for reading is not changed by a writer`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        do {
            let reader = try tree.open("file", O_RDONLY)
            var first: UInt8 = 0
            #expect(reader.use { pread($0, &first, 1, 0) } == 1)
            try tree.open("file", O_RDWR).writeAll(Array("UPPER".utf8))
            #expect(reader.use { pread($0, &first, 1, 0) } == 1)
        }
        #expect(try tree.read("file") == "UPPER file\n")
        #expect(try SmallTree.read("\(tree.lowerDirectory)/file") == "lower file\n")
        try tree.mount.remount()
        #expect(try tree.read("file") == "UPPER file\n")
        // Another upper on the same lower.
        let other = try Workspace()
        #expect(try SmallTree(form, in: other).read("file") == "lower file\n")
    }

    @Test(arguments: LowerForm.served)
    func `a file that was unlinked while open can be changed through its descriptor`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        try tree.write("new file\n", to: "new")
        for name in ["file", "new"] {
            let file = try tree.open(name, O_RDWR)
            #expect(try file.status().st_nlink == 1)
            #expect(unlink(tree.path(name)) == 0)
            #expect(try file.status().st_nlink == 0)
            try file.truncate(to: 3)
            #expect(file.use { fchmod($0, 0o600) } == 0)
            #expect(file.use { fchown($0, 1, 2) } == 0)
            #expect(file.use { fsetxattr($0, "user.x", "1", 1, 0) } == 0)
            try file.synchronize()
            let status = try file.status()
            #expect(status.st_size == 3 && status.st_mode == S_IFREG | 0o600)
            #expect(status.st_uid == 1 && status.st_gid == 2 && status.st_nlink == 0)
            var bytes = [UInt8](repeating: 0, count: 10)
            #expect(file.use { pread($0, &bytes, 10, 0) } == 3)
            #expect(!tree.exists(name))
        }
    }

    @Test(arguments: LowerForm.served)
    func `hard links of the lower stay one file after copy-up and remount`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        let before = try tree.status("name")
        try tree.write("changed\n", to: "name")
        for _ in 0..<2 {
            let (one, two) = (try tree.status("name"), try tree.status("other/name"))
            #expect(one.st_ino == two.st_ino && one.st_ino == before.st_ino)
            #expect(one.st_nlink == 2 && two.st_nlink == 2)
            #expect(try tree.read("other/name") == "changed\n")
            try tree.mount.remount()
        }
        #expect(chmod(tree.path("other/name"), 0o600) == 0)
        #expect(try tree.status("name").st_mode == S_IFREG | 0o600)
    }

    @Test(arguments: LowerForm.served)
    func `files that lie about in the work directory leave nothing in a copied-up file`(form: LowerForm)
        throws
    {
        let tree = try SmallTree(form, in: workspace)
        try tree.mount.unmount()
        // Whatever name a copy is made under first: all that one may have.
        let stale = String(repeating: "stale", count: 1000)
        for number in 0..<64 { try SmallTree.write(stale, to: "\(tree.mount.work)/\(number)") }
        for name in ["file", "orphans/3", "links.x", "#1"] where !name.contains("/") {
            try SmallTree.write(stale, to: "\(tree.mount.work)/\(name)")
        }
        try tree.mount.mount()
        let file = try tree.open("file", O_WRONLY | O_APPEND)
        try file.writeAll(Array("more\n".utf8))
        #expect(try tree.read("file") == "lower file\nmore\n")
        #expect(chmod(tree.path("full/below"), 0o600) == 0)
        #expect(try tree.read("full/below") == "below\n")
    }

    @Test(arguments: LowerForm.served)
    func `st_ino is the same after remount and copy-up`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        try tree.write("new\n", to: "new")
        #expect(mkdir(tree.path("made"), 0o755) == 0)
        let names = [".", "file", "name", "full", "full/below", "fifo", "null", "link", "new", "made"]
        let before = try names.map { try tree.status($0).st_ino }
        #expect(Set(before).count == names.count)
        for name in ["file", "full/below", "name"] {
            try tree.open(name, O_WRONLY | O_APPEND).writeAll([10])
        }
        for name in ["fifo", "null", "full"] { #expect(chmod(tree.path(name), 0o711) == 0) }
        #expect(try names.map { try tree.status($0).st_ino } == before)
        try tree.mount.remount()
        #expect(try names.map { try tree.status($0).st_ino } == before)
    }

    @Test(arguments: LowerForm.served)
    func `setxattr on a symbolic link into its own mount stays on the link`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        #expect(symlink(tree.path("file"), tree.path("own")) == 0)
        for name in ["link", "own"] {
            #expect(lsetxattr(tree.path(name), "trusted.on", "link", 4, 0) == 0)
            var value = [UInt8](repeating: 0, count: 8)
            #expect(lgetxattr(tree.path(name), "trusted.on", &value, 8) == 4)
            // No user attributes on links: refused, not followed.
            #expect(lsetxattr(tree.path(name), "user.on", "link", 4, 0) == -1)
            #expect(Errno.last == .notPermitted)
        }
        #expect(getxattr(tree.path("file"), "trusted.on", nil, 0) == -1)
    }

    @Test(arguments: LowerForm.served) func `a lower FIFO can be changed and used`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        #expect(chmod(tree.path("fifo"), 0o640) == 0)
        #expect(lchown(tree.path("fifo"), 3, 4) == 0)
        let status = try tree.status("fifo")
        #expect(status.st_mode == S_IFIFO | 0o640 && status.st_uid == 3 && status.st_gid == 4)
        let end = try tree.open("fifo", O_RDWR | O_NONBLOCK)
        try end.writeAll([7])
        var byte: UInt8 = 0
        #expect(end.use { Glibc.read($0, &byte, 1) } == 1 && byte == 7)
    }

    @Test(arguments: LowerForm.served) func `devices on the mount can be opened`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        #expect(mknod(tree.path("zero"), S_IFCHR | 0o666, device(1, 5)) == 0)
        try tree.open("null", O_WRONLY).writeAll([1, 2, 3])
        var bytes: [UInt8] = [1, 2, 3, 4]
        #expect(try tree.open("zero", O_RDONLY).use { Glibc.read($0, &bytes, 4) } == 4)
        #expect(bytes == [0, 0, 0, 0])
    }

    @Test(arguments: LowerForm.served) func `SEEK_DATA and SEEK_HOLE find the holes`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace) { lower in
            let file = try OwnedFD.open(FilePath("\(lower)/holes"), O_WRONLY | O_CREAT, mode: 0o644)
            try file.truncate(to: 1 << 20)
            try [UInt8](repeating: 1, count: 4096).withUnsafeBytes { try file.writeAll($0, at: 1 << 19) }
        }
        for _ in 0..<2 {
            let file = try tree.open("holes", O_RDWR)
            #expect(file.use { lseek($0, 0, SEEK_DATA) } == 1 << 19)
            #expect(file.use { lseek($0, 0, SEEK_HOLE) } == 0)
            #expect(file.use { lseek($0, 1 << 19, SEEK_HOLE) } == 1 << 19 + 4096)
            #expect(file.use { lseek($0, 600_000, SEEK_DATA) } == -1 && Errno.last == .noSuchAddressOrDevice)
            #expect(file.use { fchmod($0, 0o600) } == 0)
        }
        #expect(try tree.status("holes").st_blocks < 64)
    }

    @Test(arguments: LowerForm.served)
    func `a read after a write that overlaps what was read before is not stale`(form: LowerForm) throws {
        let tree = try SmallTree(form, in: workspace)
        var expected = Array(try tree.read("large").utf8)
        do {
            let reader = try tree.open("large", O_RDONLY)
            let map = reader.use { mmap(nil, SmallTree.large, PROT_READ, MAP_SHARED, $0, 0) }
            let start = try #require(map == MAP_FAILED ? nil : map)
            defer { munmap(start, SmallTree.large) }
            let mapped = UnsafeRawBufferPointer(start: start, count: SmallTree.large)
            #expect(mapped.elementsEqual(expected))
            for (offset, count) in [
                (5, 10), (4090, 20), (100_000, 70_000), (0, 1), (999_990, 10), (65_535, 2),
            ] {
                let writer = try tree.open("large", O_RDWR)
                let data = [UInt8](repeating: UInt8(count & 127), count: count)
                try data.withUnsafeBytes { try writer.writeAll($0, at: UInt64(offset)) }
                expected.replaceSubrange(offset..<offset + count, with: data)
                var found = [UInt8](repeating: 0, count: SmallTree.large)
                #expect(reader.use { pread($0, &found, SmallTree.large, 0) } == SmallTree.large)
                #expect(found == expected)
                #expect(mapped.elementsEqual(expected))
            }
        }
        try tree.mount.remount()
        #expect(firstDifference(Array(try tree.read("large").utf8), from: expected) == nil)
    }
}
