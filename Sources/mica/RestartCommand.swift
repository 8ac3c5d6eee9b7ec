import ArgumentParser
import Containers
import Snapshots

struct RestartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        _superCommandName: Mica.name,
        abstract: "Stop containers, and start them in the background."
    )

    @OptionGroup var global: GlobalOptions

    @OptionGroup var how: StopOptions

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let signal = try how.signal()
        let all = Containers(try Store.open(global.layout))
        try forEach(containers) {
            try all.restart(try all.container(named: $0), seconds: how.time, with: signal)
        }
    }
}
