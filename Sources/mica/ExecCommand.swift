import ArgumentParser

struct ExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        _superCommandName: Mica.name,
        abstract: "Run a command in a running container.",
        discussion: "Exits as run does: with the command's status, or 125, 126 and 127."
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var process: ProcessOptions

    @Flag(name: [.short, .long], help: "Don't wait for its end.")
    var detach = false

    @Argument(help: "A container's name or ID.", completion: .containers)
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
