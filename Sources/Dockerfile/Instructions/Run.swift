extension Instruction {
    package struct Run: Sendable {
        package let command: CommandLine
        /// Of a command for a shell.
        package let documents: [Heredoc]
        package let mounts: [MountFlag]
        package let network: Network

        package enum Network: String, Sendable, CaseIterable {
            case standard = "default"
            case none
            case host
        }
    }
}

extension Instruction.Run {
    /// What is executed for a `RUN`.
    package struct Invocation: Sendable, Equatable {
        package let arguments: [String]
        /// A here-document that begins with `#!`: it has to be a file of this name in a read-only directory at
        /// `/dev/pipes`, with mode 0755, and is executed itself.
        package let script: Heredoc?
    }

    /// `shell` is the image's own, from `SHELL`, where it has one.
    package func invocation(shell: [String]?) -> Invocation {
        guard case .shell(let text) = command, let first = documents.first else {
            return Invocation(arguments: command.arguments(shell: shell), script: nil)
        }
        // The shell gets more than a lone here-document as it was written.
        guard Heredoc.opening(text) != nil else {
            let whole = documents.reduce(text) { "\($0)\n\($1.raw)\($1.name)" }
            return Invocation(arguments: CommandLine.shell(whole).arguments(shell: shell), script: nil)
        }
        if first.text.hasPrefix("#!") {
            let path = CommandLine.shell("/dev/pipes/\(first.name)")
            return Invocation(arguments: path.arguments(shell: shell), script: first)
        }
        return Invocation(arguments: CommandLine.shell(first.text).arguments(shell: shell), script: nil)
    }
}
