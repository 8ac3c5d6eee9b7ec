/// A program in a container: its first one, or one that `exec` starts.
package struct ProcessSpec: Codable, Sendable, Equatable {
    /// Never empty. arguments[0] without a slash is looked up in the container's PATH.
    package var arguments: [String]
    /// NAME=VALUE, each name once.
    package var environment: [String]
    /// Absolute.
    package var directory: String
    /// "user", "uid", "user:group" or "uid:gid", looked up in the container; empty is root.
    package var user: String
    /// Whether standard streams are a terminal of the container.
    package var terminal: Bool
    /// Whether standard input is passed on; otherwise it is empty.
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
