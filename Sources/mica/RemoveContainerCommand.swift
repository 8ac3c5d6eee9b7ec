import ArgumentParser
import Containers
import Snapshots

struct RemoveContainerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        _superCommandName: Mica.name,
        abstract: "Remove containers and everything they wrote."
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: [.short, .long], help: "Kill those that run.")
    var force = false

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let all = Containers(try Store.open(global.layout))
        // Afterwards, because the containers named here go in any case.
        defer { all.reclaim() }
        try forEach(containers) { try all.remove(try all.container(named: $0), force: force) }
    }
}
