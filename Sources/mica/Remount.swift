import Linux
import SystemPackage

import Glibc

/// `mount -o remount,…` as it comes through mount.fuse3(8): other flags for a mount that is there. Only the kernel has to
/// be told, and only of flags: whatever else mount(8) names then is from /proc/self/mountinfo.
struct Remount {
    private let flags: Int32
    private let directory: FilePath

    private static let words: [String: Int32] = [
        "ro": Int32(MS_RDONLY), "nosuid": Int32(MS_NOSUID), "nodev": Int32(MS_NODEV),
        "noexec": Int32(MS_NOEXEC), "noatime": Int32(MS_NOATIME), "nodiratime": Int32(MS_NODIRATIME),
        "relatime": Int32(MS_RELATIME),
    ]
    private static let opposites = [
        "rw": "ro", "suid": "nosuid", "dev": "nodev", "exec": "noexec", "atime": "noatime",
        "diratime": "nodiratime",
        "norelatime": "relatime",
    ]

    static func isAsked(_ lists: [String]) -> Bool { options(lists).contains("remount") }

    /// `lists`: options separated by commas; of two that exclude each other the last one counts. nil: no remount.
    init?(_ lists: [String], _ directory: String) {
        guard Remount.isAsked(lists) else { return nil }
        var flags: Int32 = 0
        for option in Remount.options(lists) {
            if let flag = Remount.words[option] { flags |= flag }
            if let flag = Remount.opposites[option].flatMap({ Remount.words[$0] }) { flags &= ~flag }
        }
        self.flags = flags
        self.directory = FilePath(directory)
    }

    func run() throws {
        let resolved = directory.withPlatformString { realpath($0, nil) }
        defer { free(resolved) }
        let target = resolved.map { FilePath(platformString: $0) } ?? directory
        guard MountTable.current().top(at: target)?.type == "fuse.mica" else {
            throw Failure("\(directory) is not a mount of mica's", exitCode: 32)
        }
        let flags = UInt(MS_REMOUNT) | UInt(bitPattern: Int(self.flags))
        guard target.withPlatformString({ mount("none", $0, nil, flags, nil) }) == 0 else {
            let error = Errno.last
            let advice = "It is open for writing; end what has it open."
            throw Failure(
                "remount \(directory): \(error)",
                advice: error == .resourceBusy ? advice : nil,
                exitCode: 32
            )
        }
    }

    private static func options(_ lists: [String]) -> [String] {
        lists.flatMap { $0.split(separator: ",").map(String.init) }
    }
}
