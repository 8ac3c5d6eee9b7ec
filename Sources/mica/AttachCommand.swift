import ArgumentParser
import Containers
import Linux
import Runner
import Snapshots

struct AttachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        _superCommandName: Mica.name,
        abstract: "Be the other side of a container that runs.",
        discussion: """
            Passes on what it writes from now on, signals, and standard input where it was made with -i. From a terminal Ctrl-P \
            Ctrl-Q leaves it to itself. Exits with the command's status.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(help: "Pass no input on.")
    var noStdin = false

    @Argument(help: "A container's name or ID.", completion: .containers)
    var container: String

    func run() throws {
        let all = Containers(try Store.open(global.layout))
        let container = try all.container(named: container)
        try ExitStatus.ofCommand { try AttachCommand.attach(to: container, all, passingInput: !noStdin) }
    }

    /// Throws the exit code of the container's command, unless the user detaches.
    static func attach(to container: Container, _ all: Containers, passingInput: Bool) throws {
        let process = container.spec.process
        var request = ProcessRequest()
        request.interactive = passingInput && process.interactive
        request.tty = process.terminal
        let console = try Console(request)
        try console.end(try all.attach(to: container, console.attachment))
    }
}
