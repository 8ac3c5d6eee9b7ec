import ArgumentParser
import Layers
import Linux
import SystemPackage

import Glibc

/// The options of every verb: `@OptionGroup var global: GlobalOptions`.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store's directory (default: $MICA_ROOT, or /var/lib/mica).",
            valueName: "dir"
        ),
        completion: .directory
    )
    var root: String?

    /// The store's directory: --root, $MICA_ROOT, /var/lib/mica for root, $XDG_DATA_HOME/mica for other users.
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
        return try currentDirectory().pushing(path).lexicallyNormalized()
    }

    static func currentDirectory() throws -> FilePath {
        guard let current = getcwd(nil, 0) else { throw Failure("find the current directory", .last) }
        defer { free(current) }
        return FilePath(platformString: current)
    }
}

/// nil where the variable is unset or empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let string = String(cString: value)
    return string.isEmpty ? nil : string
}
