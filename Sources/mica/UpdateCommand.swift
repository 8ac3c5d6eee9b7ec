import ArgumentParser
import Containers
import Linux
import Runner
import Snapshots

struct UpdateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        _superCommandName: Mica.name,
        abstract: "Change what containers may use of the machine.",
        discussion: "At once where they run, and from their next start on."
    )

    @OptionGroup var global: GlobalOptions

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("The most memory that they may use, such as 512m or 2g.", valueName: "size")
    )
    var memory: String?

    @Option(help: ArgumentHelp("The most CPUs that they may keep busy, such as 1.5.", valueName: "number"))
    var cpus: String?

    @Option(
        help: ArgumentHelp(
            "The most processes and threads that they may have; -1 for any number.",
            valueName: "number"
        )
    )
    var pidsLimit: String?

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let changes = Resources(
            memory: try memory.map(Resources.memory(parsing:)),
            milliCPUs: try cpus.map(Resources.milliCPUs(parsing:)),
            processes: try pidsLimit.map(Resources.processes(parsing:))
        )
        guard changes != Resources() else {
            throw Failure(
                "nothing to change was given",
                advice: "There are --memory, --cpus and --pids-limit.",
                kind: .invalidArgument
            )
        }
        let all = Containers(try Store.open(global.layout))
        try forEach(containers) { try all.update(try all.container(named: $0), changes) }
    }
}
