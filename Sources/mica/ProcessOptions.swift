import ArgumentParser

import Glibc

/// What run and exec have in common.
struct ProcessOptions: ParsableArguments {
    @Flag(name: [.short, .long], help: "Pass standard input on.")
    var interactive = false

    @Flag(name: [.short, .long], help: "Give it a terminal.")
    var tty = false

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A variable; without a value, our own one's is passed on.",
            valueName: "name[=value]"
        )
    )
    var env: [String] = []

    @Option(name: [.short, .long], help: "The working directory, absolute.")
    var workdir: String?

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Names or numbers, looked up in the container.", valueName: "user[:group]")
    )
    var user: String?

    /// NAME=VALUE. A name that we don't have ourselves is left out, as in docker.
    var environment: [String] {
        env.compactMap { entry in
            if entry.contains("=") { return entry }
            return getenv(entry).map { "\(entry)=\(String(cString: $0))" }
        }
    }
}
