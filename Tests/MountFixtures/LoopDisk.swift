import Foundation
import Linux
import SystemPackage

import Glibc

/// A filesystem of its own, ext4 as a rule, in a file of the workspace, mounted: it can fill up, stand still or lose its power without
/// anybody else noticing. The workspace unmounts it.
package final class LoopDisk: Sendable {
    package let path: String
    private let image: String
    private let type: String

    /// - Parameter options: of mount(8), besides `loop`.
    package convenience init(
        in workspace: Workspace,
        megabytes: Int,
        type: String = "ext4",
        options: String = "rw"
    ) throws {
        try self.init(
            in: workspace,
            Filesystem(description: type, type: type, options: options, megabytes: megabytes)
        )
    }

    package init(in workspace: Workspace, _ filesystem: Filesystem) throws {
        type = filesystem.type
        image = "\(workspace.path)/\(UUID().uuidString).\(type)"
        path = try workspace.directory("disk-\(UUID().uuidString)")
        try OwnedFD.open(FilePath(image), O_WRONLY | O_CREAT, mode: 0o600).truncate(
            to: UInt64(filesystem.megabytes) << 20
        )
        let arguments = filesystem.features + ["-q", type == "ext4" ? "-F" : "-f", image]
        try Tool.run(URL(fileURLWithPath: "/sbin/mkfs.\(type)"), arguments)
        try mount(filesystem.options)
    }

    package func mount(_ options: String = "rw") throws {
        try Tool.run(
            URL(fileURLWithPath: "/bin/mount"),
            ["-t", type, "-o", "loop,\(options)", image, path]
        )
    }

    /// Returns when it is no longer used. What a power cut left is lost.
    ///
    /// A process that another test has just started in a mount namespace of its own may still have the mount in
    /// there: mounted again at once, it would be the same filesystem, without its power.
    package func unmount() throws {
        // A process that was just started has this one's descriptors until execve(2).
        var patience = 6000
        while umount2(path, 0) != 0 {
            let error = Errno.last
            guard error == .resourceBusy, patience > 0 else { throw Failure("unmount \(path)", error) }
            patience -= 1
            usleep(10_000)
        }
        while try isAttached { usleep(10_000) }
        if FilePath(left).exists { try FilePath(left).rename(to: FilePath(image)) }
    }

    /// Of a filesystem that can't be shut down: the image as it was when its power was cut.
    private var left: String { "\(image).left" }

    /// Whether a loop device has the image: they go with the last mount.
    private var isAttached: Bool {
        get throws {
            let block = FilePath("/sys/block")
            return try block.names().contains { name in
                let file = block.appending(String(decoding: name, as: UTF8.self)).appending(
                    "loop/backing_file"
                )
                let backing = try? OwnedFD.open(file, O_RDONLY).contents(limit: 4096)
                return backing?.starts(with: image.utf8) == true
            }
        }
    }

    /// A writer waits until `thaw`. FIFREEZE and FITHAW of linux/fs.h.
    package func freeze() throws { try control("freeze", 0xc004_5877) }
    package func thaw() throws { try control("thaw", 0xc004_5878) }

    /// A power cut: from now on everything fails, and what is not on the disk, the journal's end included, never gets
    /// there. EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH.
    ///
    /// Btrfs has no such call (before Linux 6.19): what has been written to its image by now is what the next `mount`
    /// after an `unmount` finds, and what is done until then succeeds and is lost.
    package func cutPower() throws {
        guard type == "btrfs" else { return try control("shut down", 0x8004_587d, 2) }
        try Tool.run(URL(fileURLWithPath: "/bin/cp"), ["--sparse=always", image, left])
    }

    /// Changes a bit of the first place in the image that has `content`. Precondition: unmounted.
    package func flipBit(in content: [UInt8]) throws {
        let file = try OwnedFD.open(FilePath(image), O_RDWR)
        // Sparse, and read by pieces: what is looked for begins with a block.
        var block = [UInt8](repeating: 0, count: 4096)
        var position: UInt64 = 0
        while position < UInt64(try file.status().st_size) {
            let data = file.use { lseek($0, Int(position), SEEK_DATA) }
            guard data >= 0 else { break }
            position = UInt64(data) / 4096 * 4096
            let count = try block.withUnsafeMutableBytes { try file.readFully(into: $0, at: position) }
            if count == block.count, content.starts(with: block) {
                return try [block[0] ^ 1].withUnsafeBytes { try file.writeAll($0, at: position) }
            }
            position += 4096
        }
        throw Failure("\(image) does not have what is looked for")
    }

    private func control(_ what: String, _ request: UInt, _ argument: UInt32 = 0) throws {
        try naming("\(what) \(path)") {
            let root = try OwnedFD.open(FilePath(path), O_RDONLY | O_DIRECTORY)
            var argument = argument
            try Errno.check(root.use { ioctl($0, request, &argument) })
        }
    }

    deinit { try? thaw() }
}
