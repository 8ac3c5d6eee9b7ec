import ArgumentParser
import Containers

/// What follows -o: mount(8)'s options as far as they are the filesystem's business, and mica's own.
struct MountOptions {
    /// nil: nothing was said.
    var isWritable: Bool?
    var name: String?
    var root: String?
    /// nosuid, nodev, noexec, noatime, nodiratime, relatime, and what is in `switches` or `passed`: for the daemon.
    private(set) var flags = Mounts.confining

    /// What takes a flag back. mount(8) keeps `suid` and `dev` from helpers, hence a second name for them.
    private static let opposites = [
        "suid": "nosuid", "dev": "nodev", "exec": "noexec", "atime": "noatime", "diratime": "nodiratime",
        "norelatime": "relatime",
        "allow_suid": "nosuid", "allow_dev": "nodev",
    ]

    /// Options with a value that the daemon knows; it checks the value.
    private static let passed = [
        "fill", "io", "transport", "scheduling", "writeback", "uidmapping", "gidmapping", "squash_to_uid",
        "squash_to_gid",
        "noxattrs",
    ]

    /// The same, without one.
    private static let switches = ["volatile", "squash_to_root", "static_nlink", "noacl", "allow_other"]

    init() {}

    /// - Parameter lists: options separated by commas; of two that exclude each other the last one counts.
    init(_ lists: [String]) throws {
        for option in lists.flatMap({ $0.split(separator: ",") }) { try add(String(option)) }
    }

    private mutating func add(_ option: String) throws {
        switch option {
        case "ro": isWritable = false
        case "rw": isWritable = true
        case "defaults", "async": break
        case "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime":
            if !flags.contains(option) { flags.append(option) }
        default:
            if MountOptions.switches.contains(option) {
                if !flags.contains(option) { flags.append(option) }
            } else if let name = MountOptions.passed.first(where: { option.hasPrefix($0 + "=") }) {
                flags.removeAll { $0.hasPrefix(name + "=") }
                flags.append(option)
            } else if let opposite = MountOptions.opposites[option] {
                flags.removeAll { $0 == opposite }
            } else if option.hasPrefix("name="), option.utf8.count > 5 {
                name = String(option.dropFirst(5))
            } else if option.hasPrefix("root="), option.utf8.count > 5 {
                root = String(option.dropFirst(5))
            } else {
                throw ValidationError("Unknown mount option: \(option)")
            }
        }
    }
}
