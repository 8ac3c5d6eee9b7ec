import Linux
import Mount
import SystemPackage

extension Arguments {
    /// The options that `apply` itself handles.
    static let effective = [
        "lowerdir", "lowerdir+", "upperdir", "workdir", "volatile", "fsync", "userxattr", "uidmapping",
        "gidmapping", "squash_to_root", "squash_to_uid", "squash_to_gid", "xattr_permissions", "static_nlink",
        "noacl", "noxattrs", "metacopy", "redirect_dir", "threaded", "max_threads", "transport", "scheduling",
        "io", "fill",
        "writeback", "debug", "allow_other", "fsname", "subtype",
    ]

    /// Applies one option of `-o`, still escaped. The last of several wins.
    mutating func apply(_ option: [UInt8]) throws {
        let parts = option.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        let name = text(parts[0])
        let value = parts.count > 1 ? Array(parts[1]) : nil
        if Arguments.effective.contains(name) || (name == "sync" && value != nil) {
            try take(name, value)
        } else if OptionList.contexts.contains(name), value != nil {
            contexts.removeAll { $0.starts(with: "\(name)=".utf8) }
            contexts.append(option)
        } else if let reason = KnownOptions.refused[name] {
            throw Arguments.refusal("option \(text(option)) is refused: \(reason)")
        } else if let moot = KnownOptions.moot[name] {
            try check(name, value, moot)
        } else if name.hasPrefix("x-") || name.hasPrefix("X-") {
            // For programs that read fstab (mount(8), systemd).
        } else if value == nil, let flag = MountFlag.named[name] {
            mountFlags = flag.applied(to: mountFlags)
        } else if value == nil, let bits = KnownOptions.propagations[name] {
            propagation = bits
        } else {
            throw Arguments.refusal("unknown option \(text(option))")
        }
    }

    private mutating func take(_ name: String, _ value: [UInt8]?) throws {
        switch name {
        case "lowerdir": directories = try lowers(needed(name, value))
        case "lowerdir+": directories.append(path(OptionList.unescaped(try needed(name, value))))
        case "upperdir": upper = path(OptionList.unescaped(try needed(name, value)))
        case "workdir": work = path(OptionList.unescaped(try needed(name, value)))
        case "fsname": source = OptionList.unescaped(try needed(name, value))
        case "subtype": subtype = OptionList.unescaped(try needed(name, value))
        case "uidmapping": identity.uids = try IdentityMap(parsing: text(needed(name, value)), for: name)
        case "gidmapping": identity.gids = try IdentityMap(parsing: text(needed(name, value)), for: name)
        case "squash_to_uid": identity.squashUID = try number(name, needed(name, value), 0...UInt32.max - 1)
        case "squash_to_gid": identity.squashGID = try number(name, needed(name, value), 0...UInt32.max - 1)
        case "xattr_permissions":
            identity.ownerStore = try [nil, .privileged, .user][number(name, needed(name, value), 0...2)]
        case "noxattrs": identity.hidesXattrs = try bit(name, value)
        // A mount without fsync is what `volatile` is for; `sync=0` is how newer versions say `fsync=0`.
        case "fsync", "sync": isVolatile = try !bit(name, value)
        case "metacopy":
            switch text(try needed(name, value)) {
            case "on": allowsMetacopy = true
            case "off": allowsMetacopy = false
            case let word: throw Arguments.refusal("option metacopy=\(word) is refused: it may be on, off")
            }
        case "io": io = try Arguments.io(text(needed(name, value)))
        case "writeback": writesBack = try bit(name, value)
        case "scheduling": scheduling = try Arguments.scheduling(text(needed(name, value)))
        case "transport": transport = try Arguments.transport(text(needed(name, value)))
        case "fill":
            switch text(try needed(name, value)) {
            case "idle": fillsWhenIdle = true
            case "never": fillsWhenIdle = false
            case let word: throw Arguments.refusal("option fill=\(word) is refused: it may be idle, never")
            }
        case "redirect_dir":
            switch text(try needed(name, value)) {
            case "on": makesRedirects = true
            // Existing redirects are followed with either, as in the kernel's overlayfs.
            case "off", "follow": makesRedirects = false
            case let word:
                throw Arguments.refusal(
                    "option redirect_dir=\(word) is refused: it may be on, off, follow"
                )
            }
        case "threaded": threads = try bit(name, value) ? max(threads, 4) : 1
        case "max_threads": threads = try min(number(name, needed(name, value), 1...100_000), 64)
        default:
            guard value == nil else { throw Arguments.refusal("\(name) takes no value") }
            switch name {
            case "volatile": isVolatile = true
            case "userxattr": usesUserXattrs = true
            case "squash_to_root": identity.squashesToRoot = true
            case "static_nlink": identity.hasStaticLinkCount = true
            case "noacl": identity.hidesACLs = true
            case "allow_other": allowsOther = true
            default:
                isDebugging = true
                isForeground = true
            }
        }
    }

    private func lowers(_ value: [UInt8]) throws -> [FilePath] {
        let paths = OptionList.paths(value)
        guard !paths.contains([]) else {
            throw Arguments.refusal(
                "lowerdir=\(text(value)): data-only layers (behind `::`) are not supported"
            )
        }
        return paths.map { path($0) }
    }

    private func needed(_ name: String, _ value: [UInt8]?) throws -> [UInt8] {
        guard let value, !value.isEmpty else { throw Arguments.refusal("\(name)= needs a value") }
        return value
    }

    private func bit(_ name: String, _ value: [UInt8]?) throws -> Bool {
        try number(name, needed(name, value), 0...1) == 1
    }

    private func check(_ name: String, _ value: [UInt8]?, _ moot: KnownOptions.Moot) throws {
        switch moot.values {
        case .any: break
        case .none: guard value == nil else { throw Arguments.refusal("\(name) takes no value") }
        case .number:
            guard let number = Double(text(try needed(name, value))), number >= -1 else {
                throw Arguments.refusal("\(name) takes a number, not \(text(value ?? []))")
            }
        case .oneOf(let words):
            let word = text(try needed(name, value))
            guard words.contains(word) else {
                let reason = moot.refusal ?? "it may be \(words.joined(separator: ", "))"
                throw Arguments.refusal("option \(name)=\(word) is refused: \(reason)")
            }
        }
    }
}
