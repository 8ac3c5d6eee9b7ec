import ArgumentParser
import Layers
import Linux
import SystemPackage

import Glibc

/// What every verb takes: `@OptionGroup var global: GlobalOptions`.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The store's directory (default: $MICA_ROOT, or /var/lib/mica).", valueName: "dir")
    )
    var root: String?

    /// Where the store is: --root, $MICA_ROOT, /var/lib/mica for root, $XDG_DATA_HOME/mica for everybody else.
    var layout: StoreLayout {
        get throws { try GlobalOptions.layout(root: root) }
    }

    /// `root`: nil where it was not given.
    static func layout(root: String?) throws -> StoreLayout {
        StoreLayout(root: try absolute(FilePath(root ?? defaultRoot())))
    }

    private static func defaultRoot() throws -> String {
        if let root = environment("MICA_ROOT") { return root }
        if geteuid() == 0 { return "/var/lib/mica" }
        if let data = environment("XDG_DATA_HOME"), data.hasPrefix("/") { return "\(data)/mica" }
        if let home = environment("HOME") { return "\(home)/.local/share/mica" }
        throw Failure(
            "there is no home directory to keep the store in",
            advice: "Set HOME or give --root DIR."
        )
    }

    /// Daemons change their directory: the store's path must not depend on it.
    private static func absolute(_ path: FilePath) throws -> FilePath {
        if path.isAbsolute { return path.lexicallyNormalized() }
        guard let current = getcwd(nil, 0) else { throw Failure("find the current directory", .last) }
        defer { free(current) }
        return FilePath(platformString: current).pushing(path).lexicallyNormalized()
    }

    /// `mica --root DIR verb …` is `mica verb --root DIR …`: the parser knows the second only.
    static func takingLeadingRoot(from arguments: [String]) -> [String] {
        guard let first = arguments.first else { return arguments }
        if first == "--root", arguments.count > 1 {
            setenv("MICA_ROOT", arguments[1], 1)
            return Array(arguments.dropFirst(2))
        }
        if first.hasPrefix("--root=") {
            setenv("MICA_ROOT", String(first.dropFirst(7)), 1)
            return Array(arguments.dropFirst())
        }
        return arguments
    }
}

/// nil where the variable is unset or empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let string = String(cString: value)
    return string.isEmpty ? nil : string
}
