/// A program in a container: its first one, or one that `exec` adds.
package struct ProcessSpec: Codable, Sendable, Equatable {
    /// Never empty. arguments[0] without a slash is looked for in PATH, inside.
    package var arguments: [String]
    /// NAME=VALUE, each name once.
    package var environment: [String]
    /// Absolute.
    package var directory: String
    /// "user", "uid", "user:group" or "uid:gid", looked up inside; empty is root.
    package var user: String
    /// Whether standard streams are a terminal of the container's.
    package var terminal: Bool
    /// Whether standard input is passed on, instead of being empty.
    package var interactive: Bool

    package init(
        arguments: [String],
        environment: [String] = [],
        directory: String = "/",
        user: String = "",
        terminal: Bool = false,
        interactive: Bool = false
    ) {
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.user = user
        self.terminal = terminal
        self.interactive = interactive
    }
}
