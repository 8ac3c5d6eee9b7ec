package import SystemPackage

import CLinux
import Glibc

/// A process that keeps a filesystem alive: its mount namespace shows it, or it has something of it open.
package struct MountHolder: Sendable, Equatable {
    package let pid: Int32
    /// As in /proc/PID/comm.
    package let command: String
    /// Where it sees the filesystem's root; nil where it only has files or directories of it open.
    package let directory: FilePath?

    /// Of the filesystem with the device number `device` (as `MountTable.Entry.device`): of each mount namespace that
    /// shows it one process, and all others that use it, ascending by number. Those that this process may look at.
    ///
    /// Reads the mount table of every namespace, and the descriptors of every process: for when there is a question.
    package static func all(of device: String) -> [MountHolder] {
        var tables: [[UInt8]: FilePath?] = [:]
        var named: Set<[UInt8]> = []
        var holders: [MountHolder] = []
        // What asks has inherited descriptors, perhaps, and ends with the answer.
        for pid in Processes.all where pid != getpid() {
            guard let namespace = FilePath("/proc/\(pid)/ns/mnt").target else { continue }
            let known = tables[namespace]
            let directory = known ?? place(of: device, seenBy: pid)
            // Of a process that is just ending the table is empty, and of another one it may not be.
            if known == nil, directory != nil || hasTable(pid) { tables[namespace] = .some(directory) }
            let isFirst = directory != nil && named.insert(namespace).inserted
            guard isFirst || uses(device, pid) else { continue }
            holders.append(MountHolder(pid: pid, command: command(pid), directory: directory))
        }
        return holders
    }

    /// Has the kernel write what it holds of the filesystem's data, by way of a process that sees it. Nothing where no
    /// namespace shows it: then it is written when the last file is closed.
    package static func writeBack(_ device: String) throws(Errno) {
        guard let root = open(device) else { return }
        let result = root.use { clinux_syncfs($0) }
        if result != 0 { throw Errno(rawValue: -result) }
    }

    /// The filesystem's root as some process sees it, opened through that process's root.
    private static func open(_ device: String) -> OwnedFD? {
        var seen: Set<[UInt8]> = []
        for pid in Processes.all {
            guard let namespace = FilePath("/proc/\(pid)/ns/mnt").target, !seen.contains(namespace),
                let directory = place(of: device, seenBy: pid)
            else { continue }
            // Something else may be mounted over it there, and what is below the root must be reached through it.
            guard let root = try? OwnedFD.open(FilePath("/proc/\(pid)/root"), O_PATH | O_DIRECTORY),
                let fd = try? root.open(inRoot: directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK),
                let status = try? fd.status(), name(of: status.st_dev) == device
            else { continue }
            seen.insert(namespace)
            return fd
        }
        return nil
    }

    /// A device number as mountinfo has it.
    package static func name(of device: UInt) -> String {
        let major = (device >> 8 & 0xfff) | (device >> 32 & ~0xfff)
        let minor = (device & 0xff) | (device >> 12 & ~0xff)
        return "\(major):\(minor)"
    }

    private static func contents(_ path: String) -> [UInt8] {
        (try? OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 64 << 20)) ?? []
    }

    private static func hasTable(_ pid: Int32) -> Bool { !contents("/proc/\(pid)/mountinfo").isEmpty }

    private static func place(of device: String, seenBy pid: Int32) -> FilePath? {
        MountTable(parsing: contents("/proc/\(pid)/mountinfo")).entries.last { $0.device == device }?.target
    }

    private static func command(_ pid: Int32) -> String {
        // Any process may call itself anything.
        let name = contents("/proc/\(pid)/comm").prefix { $0 != UInt8(ascii: "\n") }
        return String(decoding: name.map { (32..<127).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }

    /// Whether a process works in the filesystem, or has something of it open or mapped.
    private static func uses(_ device: String, _ pid: Int32) -> Bool {
        let directory = FilePath("/proc/\(pid)")
        let open = ((try? directory.appending("fd").names()) ?? [])
            .map { directory.appending("fd").appending(String(decoding: $0, as: UTF8.self)) }
        return ([directory.appending("cwd"), directory.appending("root"), directory.appending("exe")] + open)
            .contains { link in
                var found: UInt64 = 0
                // What the kernel knows is enough: whoever serves the file may be the one that hangs.
                guard link.withPlatformString({ clinux_known_device($0, &found) }) == 0 else { return false }
                return name(of: UInt(found)) == device
            }
    }
}
