import ArgumentParser
import Containers
import Snapshots

/// A container's monitor: relays its streams, waits for its end and cleans up.
struct MonitorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor",
        _superCommandName: Mica.name,
        abstract: "Run a container that is named through a socket.",
        shouldDisplay: false
    )

    @OptionGroup var global: GlobalOptions

    @Flag var interactive = false

    func run() throws {
        try Containers.monitor({ try Store.open(global.layout) }, interactive: interactive)
    }
}
