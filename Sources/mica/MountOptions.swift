import ArgumentParser
import Containers
import Linux

/// The words after -o: mount(8)'s options as far as they concern the filesystem, and mica's own.
struct MountOptions {
    /// nil: not given.
    var isWritable: Bool?
    var name: String?
    var root: String?
    /// Flags of mount(2) and options in `switches` or `passed`, for the daemon.
    private(set) var flags = Mounts.confining

    /// Other names of `suid` and `dev`, which mount(8) does not pass to helpers.
    private static let synonyms = ["allow_suid": "suid", "allow_dev": "dev"]

    /// The daemon's options with a value; the daemon checks the value.
    private static let passed = [
        "fill", "io", "transport", "scheduling", "writeback", "uidmapping", "gidmapping", "squash_to_uid",
        "squash_to_gid",
        "noxattrs",
    ]

    /// The daemon's options without a value.
    private static let switches = ["volatile", "squash_to_root", "static_nlink", "noacl", "allow_other"]

    /// Those that a container's root may have: a container decides itself what is mounted how in it.
    private static let forRoots = ["fill", "io", "transport", "scheduling", "writeback"]

    /// The daemon's options for a container's root, of lists of them.
    static func ofRoot(_ lists: [String]) throws -> [String] {
        let given = lists.flatMap { $0.split(separator: ",") }
        for option in given where option != "volatile" {
            guard let name = option.split(separator: "=").first, forRoots.contains(String(name)) else {
                throw Failure("-o \(option): a container's root has no such option", exitCode: 125)
            }
        }
        let flags = try MountOptions(lists).flags.filter { !Mounts.confining.contains($0) }
        if flags.contains("writeback=1"), flags.contains("io=passthrough") {
            throw Failure(
                "writeback=1 and io=passthrough exclude each other, as in the kernel",
                exitCode: 125
            )
        }
        return flags
    }

    init() {}

    /// - Parameter lists: options separated by commas; of two that exclude each other the last one counts.
    init(_ lists: [String]) throws {
        for option in lists.flatMap({ $0.split(separator: ",") }) { try add(String(option)) }
    }

    private mutating func add(_ option: String) throws {
        switch option {
        case "ro": isWritable = false
        case "rw": isWritable = true
        case "defaults": break
        default:
            let option = MountOptions.synonyms[option] ?? option
            if let flag = MountFlag.named[option] {
                if flag.isSet {
                    switchOn(option)
                } else {
                    flags.removeAll { MountFlag.named[$0]?.bits == flag.bits }
                }
            } else if MountOptions.switches.contains(option) {
                switchOn(option)
            } else if let name = MountOptions.passed.first(where: { option.hasPrefix($0 + "=") }) {
                flags.removeAll { $0.hasPrefix(name + "=") }
                flags.append(option)
            } else if option.hasPrefix("name="), option.utf8.count > 5 {
                name = String(option.dropFirst(5))
            } else if option.hasPrefix("root="), option.utf8.count > 5 {
                root = String(option.dropFirst(5))
            } else {
                throw ValidationError("Unknown mount option: \(option)")
            }
        }
    }

    private mutating func switchOn(_ option: String) {
        if !flags.contains(option) { flags.append(option) }
    }
}
