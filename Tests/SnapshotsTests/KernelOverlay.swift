import Foundation
import Linux
import Snapshots
import SystemPackage

import Glibc

/// The kernel's overlayfs, which is asked what a tree should look like.
struct KernelOverlay {
    static let isPossible: Bool = {
        guard geteuid() == 0,
            let types = try? String(contentsOfFile: "/proc/filesystems", encoding: .utf8)
        else { return false }
        return types.contains("\toverlay\n")
    }()

    /// Mounts `lower` under a snapshot's upper, runs `script` in the mount, and returns what is there then.
    /// `looking`: lists the tree after a remount, as the next mount shows it.
    static func change(
        _ key: String,
        of test: TestStore,
        over lower: FilePath,
        options: String,
        script: String
    ) throws -> [String: TreeEntry] {
        let directory = try test.upper(key).removingLastComponent()
        let target = test.base.appending("mnt")
        try target.makeDirectories()
        let mount = """
            mount -t overlay overlay \(target) \
            -o lowerdir=\(lower),upperdir=\(directory)/upper,workdir=\(directory)/work\(options)
            """
        try shell(mount, in: test.base)
        do {
            defer { umount2(target.string, CInt(MNT_DETACH)) }
            try shell(script, in: target)
        }
        try shell(mount, in: test.base)
        defer { umount2(target.string, CInt(MNT_DETACH)) }
        return try TreeEntry.list(target)
    }
}
