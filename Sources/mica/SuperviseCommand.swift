import ArgumentParser
import Containers
import Snapshots

/// Relays a detached container's streams, waits for its end and cleans up. Started by `run -d`.
struct SuperviseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervise",
        _superCommandName: Mica.name,
        abstract: "Run a created container in the background.",
        shouldDisplay: false
    )

    @OptionGroup var global: GlobalOptions

    @Argument var container: String

    func run() throws {
        let containers = Containers(try Store.open(global.layout))
        // Descriptor 3 is a pipe to the process that waits for the start.
        _ = try containers.supervise(try containers.container(named: container), status: 3)
    }
}
