import ArgumentParser
import Runner

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        _superCommandName: Mica.name,
        abstract: "Run a command in a new container.",
        discussion: """
            Signals are passed on. A command that INT or TERM has asked to end three times within ten seconds is \
            killed: three times Ctrl-C leave any run without a terminal. The container runs on when this process is \
            killed, or its terminal is closed: mica attach is its other side again. With -it Ctrl-P Ctrl-Q leaves it to \
            itself.

            Exits with the command's status; 125 when mica failed, also to write what the command wrote, 126 when the \
            command can't be executed, 127 when it is not there, 128+n when signal n killed it.
            """,
        // -h is --hostname, as in docker.
        helpNames: .long
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var process: ProcessOptions
    @OptionGroup var confinement: ConfinementOptions

    @Flag(name: [.short, .long], help: "Run in the background and print the container's ID.")
    var detach = false

    @OptionGroup var new: NewContainerOptions

    func run() throws {
        try ExitStatus.ofCommand { try new.run(global, process, confinement, isDetached: detach).run() }
    }
}
