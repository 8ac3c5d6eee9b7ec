import ArgumentParser
import Containers
import Linux
import Runner
import Snapshots

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
        let containers = Containers(try Store.open(global.layout))
        let container = try containers.container(named: container)
        var request = Containers.ExecRequest(command)
        request.environment = process.environment
        request.directory = process.workdir
        request.user = process.user
        request.terminal = process.tty
        request.interactive = process.interactive
        if detach { return try containers.executeDetached(request, in: container) }
        let console = try Console(process)
        let status = try containers.execute(request, in: container, console.attachment)
        throw ExitCode(try console.exitStatus(status).rawValue)
    }
}
