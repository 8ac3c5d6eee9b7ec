import ArgumentParser

struct ExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        _superCommandName: Mica.name,
        abstract: "Run a command in a running container."
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var process: ProcessOptions

    @Flag(name: [.short, .long], help: "Don't wait for its end.")
    var detach = false

    @Argument(help: "A container's name or ID.")
    var container: String

    @Argument(parsing: .captureForPassthrough, help: "The command.")
    var command: [String]

    func run() throws {
        var request = ExecRequest()
        request.root = global.root
        request.process = process.request
        request.isDetached = detach
        request.container = container
        request.command = command
        try request.run()
    }
}
