import ArgumentParser

/// The options that run and exec share.
struct ProcessOptions: ParsableArguments {
    @Flag(name: [.short, .long], help: "Pass standard input on.")
    var interactive = false

    @Flag(name: [.short, .long], help: "Give it a terminal.")
    var tty = false

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "Set a variable. Without a value, pass on the caller's.",
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

    var request: ProcessRequest {
        var request = ProcessRequest()
        request.interactive = interactive
        request.tty = tty
        request.env = env
        request.workdir = workdir
        request.user = user
        return request
    }
}
