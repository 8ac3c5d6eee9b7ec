/// The command of `RUN`, `CMD` and `ENTRYPOINT`. Variables stay in it: the shell expands them.
package enum CommandLine: Sendable, Equatable {
    /// Text for a shell.
    case shell(String)
    /// The words of a JSON array.
    case exec([String])

    /// The words to execute. `shell` is the image's own, from `SHELL`, where it has one.
    package func arguments(shell: [String]?) -> [String] {
        switch self {
        case .exec(let words): return words
        case .shell(let text):
            guard let shell, !shell.isEmpty else { return ["/bin/sh", "-c", text] }
            return shell + [text]
        }
    }
}
