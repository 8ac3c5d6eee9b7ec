package import SystemPackage

import CLinux
import Glibc

/// A process that keeps a filesystem alive: its mount namespace shows it, or it has a file of it open.
package struct MountHolder: Sendable, Equatable {
    package let pid: Int32
    /// As in /proc/PID/comm.
    package let command: String
    /// Where it sees the filesystem's root; nil where it only has files or directories open.
    package let directory: FilePath?

    /// The holders of the filesystem with the device number `device` (as in `MountTable.Entry.device`): one process
    /// of each mount namespace that shows it, and all others that use it, in ascending order. Only those that this
    /// process may look at and finds within `milliseconds` of its thread's CPU time: users may have namespaces with
    /// tables of any length, and the answer is a courtesy.
    ///
    /// It reads the mount table of every namespace and the descriptors of every process, so call it only when asked.
    package static func all(of device: String, milliseconds: Int64 = 2000) -> [MountHolder] {
        var search = MountSearch(device, milliseconds: milliseconds)
        var named: Set<[UInt8]> = []
        var holders: [MountHolder] = []
        // This process may have inherited descriptors, and ends with the answer.
        for pid in Processes.all where pid != getpid() {
            guard !search.isLate else { break }
            guard let seen = search.look(by: pid) else { continue }
            let isFirst = seen.place != nil && named.insert(seen.namespace).inserted
            guard isFirst || uses(device, pid, { search.isLate }) else { continue }
            holders.append(MountHolder(pid: pid, command: command(pid), directory: seen.place))
        }
        return holders
    }

    /// Makes the kernel write the data that it holds of the filesystem, through a process that sees it. Does nothing
    /// where no namespace shows it or none is found in time: the data is then written file by file, or when the last
    /// file is closed.
    package static func writeBack(_ device: String, milliseconds: Int64 = 1000) throws(Errno) {
        guard let root = open(device, milliseconds) else { return }
        let result = root.use { clinux_syncfs($0) }
        if result != 0 { throw Errno(rawValue: -result) }
    }

    /// The filesystem's root as some process sees it, opened through that process's root.
    private static func open(_ device: String, _ milliseconds: Int64) -> OwnedFD? {
        var search = MountSearch(device, milliseconds: milliseconds)
        var tried: Set<[UInt8]> = []
        // Processes of this user first: other users could make the search take long.
        let user = geteuid()
        let (own, others) = Processes.all.reduce(into: ([Int32](), [Int32]())) { all, pid in
            let isOwn = (try? FilePath("/proc/\(pid)").status().st_uid) == user
            if isOwn { all.0.append(pid) } else { all.1.append(pid) }
        }
        for pid in own + others {
            guard !search.isLate else { return nil }
            guard let seen = search.look(by: pid), let directory = seen.place,
                tried.insert(seen.namespace).inserted
            else { continue }
            // Another filesystem may be mounted over it there, and the path must be resolved through that process's
            // root.
            guard let root = try? OwnedFD.open(FilePath("/proc/\(pid)/root"), O_PATH | O_DIRECTORY),
                let fd = try? root.open(inRoot: directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK),
                let status = try? fd.status(), name(of: status.st_dev) == device
            else { continue }
            return fd
        }
        return nil
    }

    /// A device number as in mountinfo.
    package static func name(of device: UInt) -> String {
        let major = (device >> 8 & 0xfff) | (device >> 32 & ~0xfff)
        let minor = (device & 0xff) | (device >> 12 & ~0xff)
        return "\(major):\(minor)"
    }

    private static func contents(_ path: String) -> [UInt8] {
        (try? OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 64 << 20)) ?? []
    }

    private static func command(_ pid: Int32) -> String {
        // A process may call itself anything.
        let name = contents("/proc/\(pid)/comm").prefix { $0 != UInt8(ascii: "\n") }
        return String(decoding: name.map { (32..<127).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }

    /// Whether a process works in the filesystem, or has a file of it open or mapped.
    private static func uses(_ device: String, _ pid: Int32, _ isLate: () -> Bool) -> Bool {
        let directory = FilePath("/proc/\(pid)")
        let open = ((try? directory.appending("fd").names()) ?? [])
            .map { directory.appending("fd").appending(String(decoding: $0, as: UTF8.self)) }
        return ([directory.appending("cwd"), directory.appending("root"), directory.appending("exe")] + open)
            .contains { link in
                guard !isLate() else { return false }
                var found: UInt64 = 0
                // The kernel's own knowledge is enough: the daemon that serves the file may be the one that hangs.
                guard link.withPlatformString({ clinux_known_device($0, &found) }) == 0 else { return false }
                return name(of: UInt(found)) == device
            }
    }
}
