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
            let store = try Store.open(global.layout)
            try new.bringImage(to: store)
            let containers = Containers(store)
            print(try containers.create(new.request(process, confinement)).record.id)
        }
    }
}
