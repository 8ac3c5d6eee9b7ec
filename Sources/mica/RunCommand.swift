import ArgumentParser
import Containers
import Linux
import Runner
import Snapshots
import SystemPackage

import Glibc

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        _superCommandName: Mica.name,
        abstract: "Run a command in a new container.",
        discussion: """
            Signals are passed on. A command that INT or TERM has asked to end three times within ten seconds is \
            killed: three times Ctrl-C leave any run without a terminal.

            Exits with the command's status; 125 when mica failed, also to write what the command wrote, 126 when the \
            command can't be executed, 127 when it is not there, 128+n when signal n killed it.
            """,
        // -h is the hostname's, as in docker.
        helpNames: .long
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var process: ProcessOptions
    @OptionGroup var confinement: ConfinementOptions

    @Flag(name: [.short, .long], help: "Run in the background and print the container's ID.")
    var detach = false

    @Flag(name: .customLong("rm"), help: "Remove the container when it has ended.")
    var remove = false

    @Option(help: "The container's name. One is made up by default.")
    var name: String?

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A file or directory of the host's; a source that begins with a dot is relative to the current directory.",
            valueName: "source:destination[:ro]"
        ),
        completion: .file()
    )
    var volume: [String] = []

    @Option(help: "Replaces the image's entrypoint.")
    var entrypoint: String?

    @Option(name: [.customShort("h"), .long], help: "The name the container has for itself.")
    var hostname: String?

    @Option(name: [.customLong("net"), .long], help: "none (only lo) or host.")
    var network = ContainerSpec.Network.none

    @Flag(help: "Mount the container's root read-only.")
    var readOnly = false

    @Option(
        help: ArgumentHelp(
            "How much of what it writes is kept: max-size=10m for a file, max-file=3 for how many.",
            valueName: "name=value"
        )
    )
    var logOpt: [String] = []

    @Argument(help: "An image in the store.", completion: .images)
    var image: String

    @Argument(parsing: .captureForPassthrough, help: "The command, instead of the image's own.")
    var command: [String] = []

    func run() throws {
        try ExitStatus.ofCommand {
            let containers = Containers(try Store.open(global.layout))
            // Looked at first: what can't work should leave no container behind.
            let console = detach ? nil : try Console(process.request)
            let container = try containers.create(request())
            if let console {
                let status = try containers.run(container, console.attachment)
                throw ExitCode(try console.exitStatus(status).rawValue)
            }
            do {
                try containers.runDetached(container)
            } catch {
                if remove { try? containers.remove(container, force: true) }
                throw error
            }
            print(container.record.id)
            guard fflush(nil) == 0 else { throw Failure("write to standard output", .last) }
        }
    }

    private func request() throws -> RunRequest {
        var request = RunRequest(image: image)
        request.command = command
        request.entrypoint = entrypoint
        request.name = name
        request.environment = process.request.environment
        request.directory = process.workdir
        request.user = process.user
        request.hostname = hostname
        request.network = network
        request.volumes = try volume.map { try Volume(parsing: $0, in: GlobalOptions.currentDirectory()) }
        request.readOnlyRoot = readOnly
        request.terminal = process.tty
        request.interactive = process.interactive
        request.removeAtExit = remove
        try confinement.apply(to: &request)
        request.logLimits = try LogLimits(parsing: logOpt)
        return request
    }
}

extension ContainerSpec.Network: ExpressibleByArgument {}
