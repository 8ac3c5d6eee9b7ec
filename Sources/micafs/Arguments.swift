import Glibc
import Linux
import SystemPackage

/// What micafs is asked to do. Parsed by hand: an argument parser would double the daemon's start-up.
struct Arguments {
    /// A stack of directories, top first, instead of a chain.
    var lowers: [FilePath] = []
    var chain = FilePath("")
    var store = FilePath("")
    var upper: FilePath?
    var work: FilePath?
    var log: FilePath?
    var lock: FilePath?
    var source = "mica"
    var isForeground = false
    var isReadOnly = false
    var flags: [String] = []
    var threads = 4
    var target = FilePath("")

    static let usage = """
        usage: micafs --chain FILE --store DIR [--upper DIR --work DIR] [options] TARGET
               micafs -o lowerdir=A:B…[,upperdir=U,workdir=W] [options] TARGET
          --chain FILE      the index of the image's layers
          --store DIR       the store that has their contents
          --upper DIR       receives changes; without it the mount is read-only
          --work DIR        the upper's work directory, on the same filesystem
          -o OPTION[,…]     ro, nosuid, nodev, noexec, noatime
          --lock-fd N       a locked descriptor to keep instead, for as long as the mount is served
          --source NAME     what the mount is called in /proc/mounts
          --log FILE        where errors go; stderr without it
          --lock FILE       held locked as long as the mount is served
          --threads N       how many requests are served at once (4)
          --foreground      don't go to the background
          --version, --help
        """

    /// The mount options and their MS_* flags.
    static let mountFlags: [String: UInt] = [
        "ro": 1, "rw": 0, "nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "relatime": 1 << 21,
    ]

    init(_ arguments: [String]) throws {
        var targets: [String] = []
        var rest = arguments[...]
        func value(_ option: String) throws -> String {
            guard let value = rest.popFirst() else { throw Failure("\(option) needs a value", exitCode: 2) }
            return value
        }
        while let argument = rest.popFirst() {
            switch argument {
            case "--chain": chain = FilePath(try value(argument))
            case "--store": store = FilePath(try value(argument))
            case "--upper": upper = FilePath(try value(argument))
            case "--work": work = FilePath(try value(argument))
            case "--log": log = FilePath(try value(argument))
            case "--lock": lock = FilePath(try value(argument))
            case "--lock-fd":
                // Inherited, so there is nothing to do but to be: it closes with the process.
                let number = try value(argument)
                guard let fd = Int32(number), fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 else {
                    throw Failure("--lock-fd \(number) is not an open descriptor", exitCode: 2)
                }
            case "--source": source = try value(argument)
            case "--threads":
                let number = try value(argument)
                guard let count = Int(number), (1...64).contains(count) else {
                    throw Failure("--threads takes a number from 1 to 64, not \(number)", exitCode: 2)
                }
                threads = count
            case "--foreground": isForeground = true
            case "-o":
                for option in try value(argument).split(separator: ",") {
                    if set(String(option)) { continue }
                    guard Arguments.mountFlags[String(option)] != nil else {
                        throw Failure("unknown mount option \(option)", exitCode: 2)
                    }
                    flags.append(String(option))
                }
            default:
                guard !argument.hasPrefix("-") else {
                    throw Failure("unknown option \(argument)", advice: Arguments.usage, exitCode: 2)
                }
                targets.append(argument)
            }
        }
        guard targets.count == 1, lowers.isEmpty != (chain.isEmpty || store.isEmpty) else {
            throw Failure(
                "lowerdir=, or --chain and --store, and one target are needed",
                advice: Arguments.usage,
                exitCode: 2
            )
        }
        guard (upper == nil) == (work == nil) else {
            throw Failure("--upper and --work go together", exitCode: 2)
        }
        target = FilePath(targets[0])
        isReadOnly = upper == nil || flags.contains("ro")
    }

    /// Whether `option` names a directory of the stack. Paths with commas or colons cannot be named.
    private mutating func set(_ option: String) -> Bool {
        guard let equals = option.firstIndex(of: "=") else { return false }
        let value = option[option.index(after: equals)...]
        switch option[..<equals] {
        case "lowerdir": lowers = value.split(separator: ":").map { FilePath(String($0)) }
        case "upperdir": upper = FilePath(String(value))
        case "workdir": work = FilePath(String(value))
        default: return false
        }
        return true
    }

    /// MS_* for mount(2).
    var mountFlags: UInt {
        flags.reduce(isReadOnly ? 1 : 0) { $0 | (Arguments.mountFlags[$1] ?? 0) }
    }
}
