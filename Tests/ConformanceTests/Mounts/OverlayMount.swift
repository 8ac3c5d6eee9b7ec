import Linux
import SystemPackage

import Glibc

/// Directories stacked by the kernel: the oracle.
struct OverlayMount {
    let path: String

    /// - Parameters:
    ///   - lowers: bottom first.
    ///   - upper: nil for lowers alone.
    ///   - work: nil for a read-only mount.
    ///   - features: of the kernel's, for what it writes.
    init(
        _ lowers: [String],
        upper: String? = nil,
        work: String? = nil,
        at path: String,
        features: String = "redirect_dir=on,metacopy=off,index=on"
    ) throws {
        self.path = path
        var lowers = lowers
        if upper == nil, lowers.count == 1 {
            // The kernel stacks nothing on one directory alone.
            let empty = path + ".empty"
            try naming("create \(empty)") { try FilePath(empty).makeDirectory() }
            lowers.insert(empty, at: 0)
        }
        var options = "lowerdir=" + lowers.reversed().joined(separator: ":")
        // Hard links that stay together and directories that can be renamed: what a filesystem should do.
        if work == nil { options += ",redirect_dir=on,metacopy=off" }
        if let upper, work == nil {
            // Read-only, with another mount's upper on top.
            lowers.append(upper)
            options = "lowerdir=" + lowers.reversed().joined(separator: ":") + ",redirect_dir=on,metacopy=on"
        }
        if let upper, let work {
            if let top = lowers.last, try FilePath(work).names().isEmpty {
                try copyAttributes(from: top, to: upper)
            }
            options += ",\(features),upperdir=\(upper),workdir=\(work)"
        }
        _ = try naming("mount an overlay at \(path)") {
            try Errno.check(mount("overlay", path, "overlay", work == nil ? UInt(MS_RDONLY) : 0, options))
        }
    }

    /// An upper that another overlay writes to, in turns.
    init(
        sharing upper: String,
        work: String,
        over lower: String,
        at path: String,
        options: String = ""
    ) throws {
        self.path = path
        let all =
            "lowerdir=\(lower),upperdir=\(upper),workdir=\(work),redirect_dir=on,metacopy=on,index=off\(options)"
        _ = try naming("mount an overlay at \(path)") {
            try Errno.check(mount("overlay", path, "overlay", 0, all))
        }
    }

    /// Detached, because whatever a test starts at the same time has copies of its descriptors until execve(2).
    func unmount() throws {
        _ = try naming("unmount \(path)") { try Errno.check(umount2(path, CInt(MNT_DETACH))) }
    }

    /// The root of an overlay is its upper directory. A new one should look like what is below.
    private func copyAttributes(from lower: String, to upper: String) throws {
        var status = FileStatus()
        try naming("copy attributes of \(lower) to \(upper)") {
            try Errno.check(lstat(lower, &status))
            try Errno.check(chown(upper, status.st_uid, status.st_gid))
            try Errno.check(chmod(upper, status.st_mode & 0o7777))
            try Errno.check(utimensat(AT_FDCWD, upper, [status.st_atim, status.st_mtim], 0))
        }
    }
}
