import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// An upper on a filesystem with quotas, and a daemon that they hold for: one without CAP_SYS_RESOURCE.
@Suite(.enabled(if: geteuid() == 0, "mounts"))
struct `With a quota on the upper` {
    private static let user: UInt32 = 1000

    /// Limits in KiB and in files. quotactl(2): Q_SETQUOTA of users, with QIF_LIMITS (linux/quota.h).
    private func limit(_ disk: LoopDisk, blocks: UInt64, files: UInt64) throws {
        let device = try #require(
            MountTable.current().top(at: FilePath(disk.path))?.source,
            "\(disk.path) is not mounted"
        )
        // struct if_dqblk: hard and soft limit and use of blocks, the same of inodes, two times, what is valid.
        let script = """
            import ctypes, os, struct
            limits = struct.pack("8QI4x", \(blocks), \(blocks), 0, \(files), \(files), 0, 0, 0, 5)
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.quotactl(0x80000800, b"\(device)", \(Self.user), limits) != 0:
                raise OSError(ctypes.get_errno(), "quotactl")
            """
        try Tool.run(URL(fileURLWithPath: "/usr/bin/env"), ["python3", "-c", script])
    }

    @Test(arguments: LowerForm.served)
    func `EDQUOT reaches the writer, and nothing is lost`(form: LowerForm) throws {
        let workspace = try Workspace()
        try Errno.check(chmod(workspace.path, 0o755))
        let root = try workspace.directory("lower")
        let large = String(repeating: "0123456789abcdef", count: 100_000)
        for number in 0..<4 {
            try SmallTree.write(large, to: "\(root)/\(number)")
            try Errno.check(chown("\(root)/\(number)", Self.user, Self.user))
        }
        let disk = try LoopDisk(in: workspace, megabytes: 64, options: "usrquota", features: ["quota"])
        try limit(disk, blocks: 4000, files: 40)
        let mount = try LayeredMount(
            Lower(root, as: form, in: workspace),
            in: workspace,
            uppers: disk.path,
            launcher: ["/usr/bin/setpriv", "--inh-caps=-sys_resource", "--bounding-set=-sys_resource"]
        )
        // Copies of the user's files count as the user's: two of them fit.
        var copied = 0
        for number in 0..<4 {
            let path = "\(mount.path)/\(number)"
            let file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
            if file < 0 || write(file, "more", 4) != 4 {
                #expect(Errno.last == Errno(rawValue: EDQUOT))
                #expect(try SmallTree.read(path) == large)
            } else {
                copied += 1
                #expect(try SmallTree.read(path) == large + "more")
            }
            if file >= 0 { close(file) }
        }
        #expect(copied == 2)
        // Names: what the user makes counts as well.
        #expect(
            mkdir("\(mount.path)/own", 0o755) == 0 && chown("\(mount.path)/own", Self.user, Self.user) == 0
        )
        let script =
            "i=0; while mkdir \(mount.path)/own/$i; do i=$((i+1)); done 2>&1 | grep -o 'Disk quota exceeded'"
        let text = try Tool.run(
            URL(fileURLWithPath: "/usr/bin/setpriv"),
            ["--reuid", "\(Self.user)", "--clear-groups", "sh", "-c", script]
        )
        #expect(text == "Disk quota exceeded\n")
        #expect((10..<40).contains(try FilePath("\(mount.path)/own").names().count))
        try mount.remount()
        for number in 0..<4 { #expect(try SmallTree.read("\(mount.path)/\(number)").hasPrefix(large)) }
        try mount.unmount()
        try disk.unmount()
    }
}
