package import FUSE
import Linux
package import Mount
package import SystemPackage

/// The parsed command line of micafs. Parsed by hand: an argument parser would double the daemon's start-up.
///
/// Two styles mix freely: fuse-overlayfs's (`-o lowerdir=A:B,upperdir=U,workdir=W DIR`, which is also what
/// mount.fuse3 passes, with a source before the directory) and mica's own (`--chain FILE --store DIR …`).
package struct Arguments: Sendable {
    package enum Request: Sendable {
        /// `materialize`: copy all remaining data into the upper, and mount nothing.
        case mount, materialize, help, version
    }

    /// What is below the upper.
    package enum Lower: Sendable, Equatable {
        /// An image: the index of its layers, and the store that has their contents.
        case chain(FilePath, store: FilePath)
        /// Directories, topmost first; relative ones start at the working directory.
        case directories([FilePath])

        package var isImage: Bool {
            if case .chain = self { true } else { false }
        }
    }

    package var request = Request.mount
    package var lower = Lower.directories([])
    /// Both are given, or neither.
    package var upper: FilePath?
    package var work: FilePath?
    package var log: FilePath?
    package var lock: FilePath?
    /// An inherited descriptor to keep open for as long as the mount is served.
    package var lockDescriptor: CInt?
    /// An inherited descriptor to write to when the mount answers: micafs does not fork then.
    package var readyDescriptor: CInt?
    package var target = FilePath("")
    /// The source in /proc/mounts.
    package var source = Array("mica".utf8)
    /// The filesystem type is `fuse.` and this.
    package var subtype = Array("mica".utf8)
    /// MS_*; read-only when there is no upper.
    package var mountFlags: UInt = 0
    /// MS_PRIVATE and the like; nil keeps that of the directory mounted on.
    package var propagation: UInt?
    package var allowsOther = false
    /// `context="…"` and the like, unchanged.
    package var contexts: [[UInt8]] = []
    package var isForeground = false
    package var isDebugging = false
    package var threads = 4
    package var transport = Transport.automatic
    package var scheduling = Scheduling.leading
    package var io = IOMode.automatic
    /// Written data stays in the kernel's page cache until it is synced, closed or evicted.
    package var writesBack = false
    package var identity = IdentityOptions()
    /// Nothing is synced.
    package var isVolatile = false
    /// The union's own attributes are `user.overlay.*`.
    package var usesUserXattrs = false

    /// A change of attributes alone leaves the data in the lower. nil: yes for an image, whose upper only mica
    /// reads; no for directories, whose upper other programs read, which may not know the mark.
    package var allowsMetacopy: Bool?
    /// Partial files are completed while the mount is idle; otherwise never.
    package var fillsWhenIdle = false
    /// Owners to whom the daemon can't give files are stored, instead of refusing the copy-up.
    package var keepsOwners = false
    /// The mount goes with the thread that started this process.
    package var endsWithCaller = false
    /// Directories of a lower can be renamed.
    package var makesRedirects = true

    // Used until all arguments have been read.
    var chain: FilePath?
    var store: FilePath?
    var directories: [FilePath] = []

    /// `arguments`: without the program's name. Throws a Failure that names what it does not accept.
    package init(_ arguments: [[UInt8]]) throws {
        var operands: [[UInt8]] = []
        var rest = arguments[...]
        while let bytes = rest.popFirst() {
            let argument = text(bytes)
            func value() throws -> [UInt8] {
                guard let value = rest.popFirst() else {
                    throw Arguments.refusal("\(argument) needs a value")
                }
                return value
            }
            switch argument {
            case "-h", "--help": request = .help
            case "-V", "--version": request = .version
            case "-f", "--foreground": isForeground = true
            case "-d", "--debug": try apply(Array("debug".utf8))
            case "-s": threads = 1
            case "-o": for option in OptionList.split(try value()) { try apply(option) }
            case "--materialize", "--settle": request = .materialize
            case "--keep-owners": keepsOwners = true
            case "--end-with-caller": endsWithCaller = true
            case "--chain": chain = path(try value())
            case "--store": store = path(try value())
            case "--upper": upper = path(try value())
            case "--work": work = path(try value())
            case "--log": log = path(try value())
            case "--lock": lock = path(try value())
            case "--lock-fd": lockDescriptor = try number(argument, value(), 0...CInt.max)
            case "--ready-fd": readyDescriptor = try number(argument, value(), 0...CInt.max)
            case "--source": source = try value()
            case "--io": io = try Arguments.io(text(value()))
            case "--transport": transport = try Arguments.transport(text(value()))
            case "--threads": threads = try number(argument, value(), 1...64)
            case "--":
                operands += rest
                rest = []
            case _ where argument.hasPrefix("-o"):
                for option in OptionList.split(Array(bytes.dropFirst(2))) { try apply(option) }
            case _ where argument.hasPrefix("-") && argument != "-":
                throw Arguments.refusal("unknown option \(argument)")
            default: operands.append(bytes)
            }
            // Whatever else is given, the user asks for help.
            if request == .help || request == .version { return }
        }
        if writesBack, io == .passthrough {
            throw Arguments.refusal("writeback=1 and io=passthrough exclude each other, as in the kernel")
        }
        try accept(operands)
        try resolveLower()
    }

    /// `[SOURCE] TARGET`.
    private mutating func accept(_ operands: [[UInt8]]) throws {
        if request == .materialize {
            guard operands.isEmpty else {
                throw Arguments.refusal("--materialize mounts nothing: \(text(operands[0])) is not expected")
            }
            return
        }
        guard let last = operands.last else {
            throw Arguments.refusal("no mountpoint specified: the directory to mount at is missing")
        }
        guard operands.count <= 2 else {
            throw Arguments.refusal(
                "one directory to mount at is expected, not \(operands.count - 1) and \(text(last))"
            )
        }
        guard !last.isEmpty else { throw Arguments.refusal("the directory to mount at has no name") }
        target = path(last)
        if operands.count == 2, !operands[0].isEmpty { source = operands[0] }
    }

    private mutating func resolveLower() throws {
        switch (chain, store) {
        case (let chain?, let store?):
            guard directories.isEmpty else {
                throw Arguments.refusal("--chain and lowerdir= are two forms of the same: give one")
            }
            lower = .chain(chain, store: store)
        case (nil, nil):
            guard !directories.isEmpty else {
                throw Arguments.refusal(
                    "no lowerdir specified: lowerdir=, or --chain and --store, are needed"
                )
            }
            lower = .directories(directories)
        default: throw Arguments.refusal("--chain and --store go together")
        }
        if request == .materialize, upper == nil || work == nil {
            throw Arguments.refusal("--materialize is for an upper and its work directory: both are needed")
        }
        if let upper, work == nil {
            guard case .directories = lower, mountFlags & 1 != 0 else {
                throw Arguments.refusal("upperdir= without workdir=: changes need both (or `ro`)")
            }
            // As in the kernel: an upper that is not to be changed is one more lower.
            lower = .directories([upper] + directories)
            self.upper = nil
        }
        guard upper == nil else { return }
        // Without an upper a work directory has no use; giving one does no harm.
        work = nil
        mountFlags |= 1
    }

    static func transport(_ word: String) throws -> Transport {
        try choice("transport", word)
    }

    static func io(_ word: String) throws -> IOMode { try choice("io", word) }

    static func scheduling(_ word: String) throws -> Scheduling { try choice("scheduling", word) }

    private static func choice<C>(_ option: String, _ word: String) throws -> C
    where C: CaseIterable & RawRepresentable<String> {
        guard let choice = C(rawValue: word) else {
            let known = C.allCases.map(\.rawValue).joined(separator: ", ")
            throw refusal("\(option)=\(word) is refused: it may be \(known)")
        }
        return choice
    }

    static func refusal(_ message: String) -> Failure {
        Failure(message, advice: "`micafs --help` tells what there is.", kind: .invalidArgument, exitCode: 2)
    }
}

func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

func path(_ bytes: some Collection<UInt8>) -> FilePath {
    FilePath(platformString: bytes.map { CChar(bitPattern: $0) } + [0])
}

/// Parses `bytes` as a number in `range`.
func number<N: FixedWidthInteger>(_ option: String, _ bytes: [UInt8], _ range: ClosedRange<N>) throws -> N {
    guard let number = N(text(bytes)), range.contains(number) else {
        throw Arguments.refusal(
            "\(option) takes a number from \(range.lowerBound) to \(range.upperBound), not \(text(bytes))"
        )
    }
    return number
}
