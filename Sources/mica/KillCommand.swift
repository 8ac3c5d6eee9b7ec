import ArgumentParser
import Containers
import Linux
import Runner
import Snapshots

struct KillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill",
        _superCommandName: Mica.name,
        abstract: "Send containers a signal."
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: [.short, .long], help: "Its name or number.")
    var signal = "KILL"

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let signal = try Signal(parsing: signal)
        let all = Containers(try Store.open(global.layout))
        try forEach(containers) { try all.kill(try all.container(named: $0), with: signal) }
    }
}
