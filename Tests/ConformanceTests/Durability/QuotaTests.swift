import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// The upper on a btrfs whose quota counts for root, too (that of ext4 does not).
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: getenv("MICA_QUOTAS") != nil, "set MICA_QUOTAS to fill a quota of btrfs, as root")
)
struct `Within a full quota` {
    @Test(arguments: LowerForm.served) func `nothing can be made, but everything be deleted`(form: LowerForm)
        throws
    {
        let workspace = try Workspace()
        let disk = try LoopDisk(in: workspace, megabytes: 400, type: "btrfs")
        let btrfs = URL(fileURLWithPath: "/bin/btrfs")
        try Tool.run(btrfs, ["quota", "enable", disk.path])
        try Tool.run(btrfs, ["subvolume", "create", "\(disk.path)/limited"])
        try Tool.run(btrfs, ["qgroup", "limit", "40M", "\(disk.path)/limited"])
        let tree = try SmallTree(form, in: workspace, uppers: "\(disk.path)/limited")
        for name in ["open", "closed", "replaced"] { try tree.write(name, to: name) }
        #expect(mkdir(tree.path("directory"), 0o755) == 0)
        var file: OpenFile? = OpenFile(try tree.open("open", O_RDWR))
        do {
            let filler = try tree.open("filler", O_WRONLY | O_CREAT)
            let data = [UInt8](repeating: 7, count: 1 << 20)
            while filler.use({ write($0, data, data.count) }) > 0 {}
            #expect(Errno.last == .diskQuotaExceeded)
        }
        sync()
        #expect(mkdir(tree.path("new"), 0o755) == -1)
        #expect(Errno.last == .diskQuotaExceeded)
        for name in ["open", "closed"] { #expect(unlink(tree.path(name)) == 0) }
        #expect(rmdir(tree.path("directory")) == 0)
        #expect(try file?.fd.contents(limit: 100) == Array("open".utf8))
        file = nil
        #expect(unlink(tree.path("filler")) == 0)
        // btrfs gives room back with its next commit.
        for _ in 0..<6000 where mkdir(tree.path("new"), 0o755) != 0 {
            sync()
            usleep(100_000)
        }
        #expect(tree.exists("new"))
        #expect(try tree.read("replaced") == "replaced")
    }

    @Test func `the store can free something`() throws {
        let workspace = try Workspace()
        let disk = try LoopDisk(in: workspace, megabytes: 400, type: "btrfs")
        let btrfs = URL(fileURLWithPath: "/bin/btrfs")
        try Tool.run(btrfs, ["quota", "enable", disk.path])
        try Tool.run(btrfs, ["subvolume", "create", "\(disk.path)/limited"])
        let store = MicaStore(root: "\(disk.path)/limited/store")
        for name in ["one", "two"] {
            let content = [UInt8](repeating: 65, count: 900_000) + Array(name.utf8)
            let layer: Layer = [LayerEntry(path: "f", kind: .file(content))]
            try store.load([layer], as: name, using: workspace)
        }
        try store.run("snapshot", ["prepare", "work", "one"])
        sync()
        try Tool.run(btrfs, ["qgroup", "limit", "40M", "\(disk.path)/limited"])
        do {
            let filler = try OwnedFD.open(
                FilePath("\(try store.upper())/filler"),
                O_WRONLY | O_CREAT,
                mode: 0o600
            )
            for size in [1 << 20, 4096, 1] {
                let data = [UInt8](repeating: 7, count: size)
                while filler.use({ write($0, data, size) }) > 0 {}
                #expect(Errno.last == .diskQuotaExceeded)
            }
        }
        sync()
        try store.run("rmi", ["two"])
        try store.run("snapshot", ["rm", "work"])
        try store.run("gc", [])
        sync()
        try store.run("fsck", ["--deep"])
        #expect(try store.run("images", ["-q"]).count == 13)
    }
}
