import ArgumentParser
import Containers
import Layers
import Linux
import Runner
import Snapshots

struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        _superCommandName: Mica.name,
        abstract: "Start containers that were created, or have ended.",
        discussion: """
            In the background, unless -a or -i is given. What a container wrote before is there. With -a or -i it exits as run \
            does: with the command's status, or 125, 126 and 127.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: [.short, .long], help: "Pass on its output and signals, and wait for its end.")
    var attach = false

    @Flag(name: [.short, .long], help: "The same, and pass standard input on, where it was created with -i.")
    var interactive = false

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let all = Containers(try Store.open(global.layout))
        guard attach || interactive else {
            return try forEach(containers) { try all.start(try all.container(named: $0)) }
        }
        guard containers.count == 1 else {
            throw Failure("only one container can be attached to", kind: .invalidArgument)
        }
        try ExitStatus.ofCommand { try run(try all.container(named: containers[0]), all) }
    }

    private func run(_ container: Container, _ all: Containers) throws {
        if all.isRunning(container) {
            return try AttachCommand.attach(to: container, all, passingInput: interactive)
        }
        var request = ProcessRequest()
        request.tty = container.spec.process.terminal
        request.interactive = interactive && container.spec.process.interactive
        let console = try Console(request)
        let monitor = try MonitorProcess(root: all.store.layout.root, interactive: request.interactive)
        do {
            try console.end(try all.runAttached(container, console.attachment, by: monitor))
        } catch let failure as Failure {
            // Another process may have started it first.
            guard all.isRunning(container) else { throw failure }
            try AttachCommand.attach(to: container, all, passingInput: interactive)
        }
    }
}
