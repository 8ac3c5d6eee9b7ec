import FUSE
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// The upper on a small ext4: what does not fit is said, and nothing is lost.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `On a full disk` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// Writes into a file until nothing more fits; how much did.
    private func fill(_ path: String, block: Int) throws -> Int {
        let file = try OwnedFD.open(FilePath(path), O_WRONLY | O_CREAT, mode: 0o644)
        let data = [UInt8](repeating: 7, count: block)
        var total = 0
        while true {
            let count = file.use { write($0, data, block) }
            if count == -1 {
                #expect(Errno.last == .noSpace)
                return total
            }
            total += count
        }
    }

    /// The kernel forgets a removed file when the removal is answered already, and what forgets may take its time.
    @Test(arguments: Transport.usable) func `what a removed file took can be written at once`(
        _ transport: Transport
    ) throws {
        let disk = try LoopDisk(in: workspace, megabytes: 32)
        let mount = try LayeredMount(
            Lower(workspace.directory("lower"), as: .directory, in: workspace),
            in: workspace,
            uppers: disk.path,
            options: ["--transport", transport.rawValue]
        )
        // Where one reader may lead, it does now.
        for number in 0..<500 { #expect(access("\(mount.path)/absent-\(number)", F_OK) == -1) }
        let data = [UInt8](repeating: 7, count: Int(try room(disk.path)) / 12)
        for round in 0..<10 {
            // More than half of the disk, in files.
            for number in 0..<7 {
                let file = Glibc.open("\(mount.path)/\(round)-\(number)", O_WRONLY | O_CREAT, 0o644)
                #expect(write(file, data, data.count) == data.count, "\(Errno.last)")
                close(file)
            }
            for number in 0..<7 { #expect(unlink("\(mount.path)/\(round)-\(number)") == 0) }
        }
        try mount.unmount()
    }

    static let ways = Transport.usable.map { ["--transport", $0.rawValue] } + [["-o", "io=passthrough"]]

    /// To free the blocks of a large file takes longer than to answer its removal.
    @Test(arguments: ways)
    func `df and the next file know at once what the removal of a large file gave back`(
        _ options: [String]
    ) throws {
        let disk = try LoopDisk(in: workspace, megabytes: 1024)
        let mount = try LayeredMount(
            Lower(workspace.directory("lower"), as: .directory, in: workspace),
            in: workspace,
            uppers: disk.path,
            options: options
        )
        let size = Int(try room(disk.path)) / 10 * 9
        for round in 0..<5 {
            let file = try OwnedFD.open(FilePath("\(mount.path)/large"), O_WRONLY | O_CREAT, mode: 0o644)
            try file.allocate(UInt64(size))
            _ = consume file
            let full = try room(mount.path)
            #expect(unlink("\(mount.path)/large") == 0)
            if round.isMultiple(of: 2) {
                #expect(try room(mount.path) > full + UInt(size) / 10 * 9)
            } else {
                let next = try OwnedFD.open(FilePath("\(mount.path)/next"), O_WRONLY | O_CREAT, mode: 0o644)
                #expect(throws: Never.self) { try next.allocate(UInt64(size)) }
                #expect(unlink("\(mount.path)/next") == 0)
            }
        }
        // What is open is not about to give anything back, and no process waits for it.
        let open = try OwnedFD.open(FilePath("\(mount.path)/open"), O_RDWR | O_CREAT, mode: 0o644)
        try open.allocate(UInt64(size))
        #expect(unlink("\(mount.path)/open") == 0)
        #expect(try room(mount.path) < UInt(size) / 9)
        let more = try OwnedFD.open(FilePath("\(mount.path)/more"), O_RDWR | O_CREAT, mode: 0o644)
        #expect(throws: Errno.noSpace) { try more.allocate(UInt64(size)) }
        #expect(try open.status().st_nlink == 0)
    }

    /// Bytes that are free for everybody.
    private func room(_ path: String) throws -> UInt {
        var statistics = statvfs()
        try Errno.check(statvfs(path, &statistics))
        return statistics.f_bavail * statistics.f_bsize
    }

    @Test(arguments: LowerForm.served)
    func `a write, a copy-up and a create say ENOSPC, and the old file stays whole`(form: LowerForm) throws {
        let disk = try LoopDisk(in: workspace, megabytes: 8)
        let tree = try SmallTree(form, in: workspace, uppers: disk.path)
        try tree.write("kept\n", to: "kept")
        let written = try fill(tree.path("filler"), block: 100_000)
        #expect(try tree.status("filler").st_size == written)
        _ = try fill(tree.path("rest"), block: 512)

        let file = try tree.open("large", O_RDWR)
        #expect(file.use { write($0, "x", 1) } == -1)
        #expect(Errno.last == .noSpace)
        if form == .directory {
            // Data of which nothing is kept needs no room, but what is kept does; of an image it stays below.
            #expect(truncate(tree.path("large"), 900_000) == -1)
            #expect(Errno.last == .noSpace)
        }
        #expect(try tree.read("large").utf8.count == SmallTree.large)
        #expect(try tree.read("large").hasPrefix("0123456789"))

        var made = 0
        while symlink(String(repeating: "t", count: 200), tree.path("link\(made)")) == 0 { made += 1 }
        #expect(Errno.last == .noSpace)
        #expect(!tree.exists("link\(made)"))
        #expect(try tree.names(".").count { $0.hasPrefix("link") } == made + 1)

        // Room again: everything works again.
        #expect(unlink(tree.path("filler")) == 0)
        // The kernel gives the file back when it likes, and ext4 its blocks with the journal's next commit.
        for _ in 0..<60_000 where try room(disk.path) < 1 << 20 {
            sync()
            usleep(10_000)
        }
        #expect(file.use { write($0, "x", 1) } == 1)
        #expect(try tree.read("large").hasPrefix("x123456789"))
        #expect(try tree.read("kept") == "kept\n")
    }

    @Test(arguments: LowerForm.served)
    func `nothing of a failed copy-up is left in the work directory`(form: LowerForm) throws {
        let disk = try LoopDisk(in: workspace, megabytes: 8)
        let tree = try SmallTree(form, in: workspace, uppers: disk.path)
        _ = try fill(tree.path("filler"), block: 100_000)
        _ = try fill(tree.path("rest"), block: 512)
        let before = try FilePath(tree.mount.work).names().count
        for _ in 0..<10 {
            let file = try tree.open("large", O_RDWR)
            #expect(file.use { write($0, "x", 1) } == -1)
        }
        #expect(try FilePath(tree.mount.work).names().count == before)
    }

    @Test(arguments: LowerForm.served)
    func `what is deleted or replaced while it is open goes on, and gives its room back`(form: LowerForm)
        throws
    {
        let disk = try LoopDisk(in: workspace, megabytes: 8)
        let tree = try SmallTree(form, in: workspace, uppers: disk.path)
        // More than the names of the orphans have room for.
        let count = 300
        var files: [OpenFile] = []
        for number in 0..<count {
            try tree.write("file \(number)", to: "file\(number)")
            files.append(OpenFile(try tree.open("file\(number)", O_RDWR)))
        }
        for name in ["one", "two", "gone"] { #expect(mkdir(tree.path(name), 0o755) == 0) }
        try tree.write("inside", to: "two/file")
        // There already: ext4 may have to split the block where a new name's hash leads, and has no room for that.
        try tree.write("old", to: "replaced")
        #expect(unlink(tree.path("full/sub/deep")) == 0)
        var directory: OpenFile? = OpenFile(try tree.open("gone", O_RDONLY | O_DIRECTORY))
        _ = try fill(tree.path("filler"), block: 100_000)
        _ = try fill(tree.path("rest"), block: 512)

        for number in 0..<count {
            if number.isMultiple(of: 2) {
                #expect(unlink(tree.path("file\(number)")) == 0)
            } else {
                #expect(tree.rename("file\(number)", "replaced") == nil)
            }
        }
        #expect(rmdir(tree.path("gone")) == 0)
        #expect(try directory?.fd.status().st_nlink == 0)
        directory = nil
        #expect(tree.rename("two", "one") == nil)
        #expect(try tree.read("one/file") == "inside")
        #expect(rmdir(tree.path("full/sub")) == 0 || Errno.last == .noSpace)
        for (number, file) in files.enumerated() {
            #expect(try file.fd.contents(limit: 100) == Array("file \(number)".utf8))
            if number != count - 1 { #expect(try file.fd.status().st_nlink == 0) }
            #expect(file.fd.use { pwrite($0, "F", 1, 0) } == 1)
        }
        files.removeAll()
        try tree.mount.remount()
        #expect(try tree.read("replaced") == "File \(count - 1)")
        #expect(!tree.exists("file0") && !tree.exists("gone") && !tree.exists("two"))
        #expect(try FilePath("\(tree.mount.work)/orphans").names().isEmpty)
    }

    @Test func `a write that ends early leaves every block old or new`() throws {
        // Blocks smaller than pages, so that it can end within one.
        let disk = try LoopDisk(in: workspace, megabytes: 8)
        let tree = try SmallTree(.image, in: workspace, uppers: disk.path)
        let file = try tree.open("large", O_RDWR)
        #expect(file.use { pwrite($0, "x", 1, 0) } == 1)
        _ = try fill(tree.path("filler"), block: 100_000)
        _ = try fill(tree.path("rest"), block: 512)
        let filler = try tree.open("rest", O_RDWR)
        let size = Int(try filler.status().st_size)
        let old = Array(try tree.read("large").utf8)
        let new = [UInt8](repeating: UInt8(ascii: "n"), count: 200_000)
        // A little room, of which ext4 gives back some at the next commit.
        for room in stride(from: 1024, through: min(size, 14 * 1024), by: 1024) {
            try filler.truncate(to: UInt64(size - room))
            sync()
            let offset = 100_000 + room
            let written = max(file.use { pwrite($0, new, new.count, offset) }, 0)
            _ = file.use { posix_fadvise($0, 0, 0, POSIX_FADV_DONTNEED) }
            let found = Array(try tree.read("large").utf8)
            #expect(found.count == old.count)
            let wrong = found.indices.first { position in
                if found[position] == old[position] { return false }
                return found[position] != UInt8(ascii: "n")
            }
            #expect(wrong == nil)
            #expect(found[offset..<offset + written].allSatisfy { $0 == UInt8(ascii: "n") })
        }
    }
}
