import Foundation
import Linux
import SystemPackage

import Glibc

/// A filesystem that an upper can be on, with what it was made and is mounted with: forms that differ in when a hole
/// becomes data.
package struct Filesystem: Sendable, CustomStringConvertible {
    package let description: String
    let type: String
    /// Arguments of mkfs.
    var features: [String] = []
    /// Of mount(8).
    var options = "rw"
    /// Sparse: what is not used takes no room.
    var megabytes = 128

    /// Whether fallocate(2) has FALLOC_FL_ZERO_RANGE there.
    package var zeroesRanges: Bool { type != "tmpfs" }
    /// Whether the union can make whiteouts there: an overlay refuses a character device 0:0.
    package var takesWhiteouts: Bool { type != "overlay" }

    package static let ext4 = Filesystem(description: "ext4", type: "ext4", features: ["-b", "4096"])
    package static let xfs = Filesystem(description: "xfs", type: "xfs", megabytes: 320)
    package static let btrfs = Filesystem(description: "btrfs", type: "btrfs", megabytes: 320)

    /// Those whose power can be cut, and that this machine can make. They differ in what a sync of one thing brings to the
    /// disk of another: ext4 and XFS have one journal for all, Btrfs writes what was asked for.
    package static let journalled = [ext4, xfs, btrfs].filter { access("/sbin/mkfs.\($0.type)", X_OK) == 0 }

    /// An ext4 that can have fs-verity, where the kernel does.
    package static let verity = Filesystem(
        description: "ext4, verity",
        type: "ext4",
        features: ["-b", "4096", "-O", "verity"]
    )

    /// One of each kind.
    package static let kinds =
        journalled + [
            Filesystem(description: "tmpfs", type: "tmpfs"),
            Filesystem(description: "overlay", type: "overlay"),
        ]

    package static let all = [
        ext4,
        Filesystem(description: "ext4, blocks of 1 KiB", type: "ext4", features: ["-b", "1024"]),
        Filesystem(
            description: "ext4, inline_data",
            type: "ext4",
            features: ["-b", "4096", "-O", "inline_data"]
        ),
        Filesystem(
            description: "ext4, bigalloc",
            type: "ext4",
            features: ["-b", "4096", "-O", "bigalloc", "-C", "65536"]
        ),
        xfs,
        Filesystem(
            description: "xfs without reflink",
            type: "xfs",
            features: ["-m", "reflink=0"],
            megabytes: 320
        ),
        btrfs,
        Filesystem(
            description: "btrfs, compressed",
            type: "btrfs",
            options: "compress-force=zstd",
            megabytes: 320
        ),
        Filesystem(description: "tmpfs", type: "tmpfs"),
        Filesystem(description: "overlay", type: "overlay"),
    ]

    /// A new one, mounted in the workspace, which unmounts it: where.
    package func make(in workspace: Workspace) throws -> String {
        switch type {
        case "tmpfs", "overlay":
            let path = try workspace.directory("disk-\(UUID().uuidString)")
            var options = options
            if type == "overlay" {
                let directories = try ["lower", "upper", "work"].map {
                    "\($0)dir=\(try workspace.directory("below-\(path.suffix(8))/\($0)"))"
                }
                options = directories.joined(separator: ",")
            }
            try Tool.run(URL(fileURLWithPath: "/bin/mount"), ["-t", type, "-o", options, type, path])
            return path
        default: return try LoopDisk(in: workspace, self).path
        }
    }
}
