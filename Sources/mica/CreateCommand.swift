import ArgumentParser
import Containers
import Linux
import Runner
import Snapshots

struct CreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        _superCommandName: Mica.name,
        abstract: "Make a container, and don't start it.",
        discussion: "Prints its ID. mica start starts it.",
        // -h is --hostname, as in docker.
        helpNames: .long
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var process: ProcessOptions
    @OptionGroup var confinement: ConfinementOptions
    @OptionGroup var new: NewContainerOptions

    func run() throws {
        try ExitStatus.ofCommand {
            let run = try new.run(global, process, confinement)
            let store = try Store.open(global.layout)
            try run.bringImage(to: store)
            print(try Containers(store).create(run.request).record.id)
        }
    }
}
