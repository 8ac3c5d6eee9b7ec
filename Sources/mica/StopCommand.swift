import ArgumentParser
import Containers
import Snapshots

struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        _superCommandName: Mica.name,
        abstract: "Stop containers.",
        discussion:
            "Sends the image's stop signal (TERM by default), and KILL where that doesn't help in time."
    )

    @OptionGroup var global: GlobalOptions

    @OptionGroup var how: StopOptions

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let signal = try how.signal()
        let all = Containers(try Store.open(global.layout))
        try forEach(containers) {
            try all.stop(try all.container(named: $0), seconds: how.time, with: signal)
        }
    }
}
