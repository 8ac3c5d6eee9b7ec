import Linux
import SystemPackage

import Glibc

/// `mount -o remount,…` as it comes through mount.fuse3(8): new flags for an existing mount. Only the kernel has to
/// be told, and only the flags: mount(8) takes its other words from /proc/self/mountinfo.
struct Remount {
    /// MS_*, beside MS_REMOUNT.
    private let flags: UInt
    private let directory: FilePath

    static func isAsked(_ lists: [String]) -> Bool { options(lists).contains("remount") }

    /// `lists`: options separated by commas; of two that exclude each other the last one counts. nil: no remount.
    init?(_ lists: [String], _ directory: String) {
        guard Remount.isAsked(lists) else { return nil }
        var flags: UInt = 0
        for option in Remount.options(lists) {
            if let flag = MountFlag.named[option] { flags = flag.applied(to: flags) }
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
        let flags = UInt(MS_REMOUNT) | self.flags
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
