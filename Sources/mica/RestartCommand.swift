import ArgumentParser
import Containers
import Linux
import Snapshots

struct RestartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        _superCommandName: Mica.name,
        abstract: "Stop containers, and start them in the background."
    )

    @OptionGroup var global: GlobalOptions

    @Option(
        name: [.short, .customLong("timeout"), .long],
        help: ArgumentHelp("Seconds to wait before killing.", valueName: "seconds")
    )
    var time = 10

    @Option(name: [.short, .long], help: "The name or number of the signal, instead of the image's.")
    var signal: String?

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let signal = try signal.map { try Signal(parsing: $0) }
        let all = Containers(try Store.open(global.layout))
        try forEach(containers) {
            try all.restart(try all.container(named: $0), seconds: time, with: signal)
        }
    }
}
