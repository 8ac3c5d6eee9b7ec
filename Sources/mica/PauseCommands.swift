import ArgumentParser
import Containers
import Snapshots

struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        _superCommandName: Mica.name,
        abstract: "Halt all processes of containers."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let all = Containers(try Store.open(global.layout))
        try forEach(containers) { try all.pause(try all.container(named: $0)) }
    }
}

struct UnpauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpause",
        _superCommandName: Mica.name,
        abstract: "Let paused containers go on."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let all = Containers(try Store.open(global.layout))
        try forEach(containers) { try all.unpause(try all.container(named: $0)) }
    }
}
