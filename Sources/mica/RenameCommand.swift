import ArgumentParser
import Containers
import Snapshots

struct RenameCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename",
        _superCommandName: Mica.name,
        abstract: "Give a container another name."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A container's name or ID.", completion: .containers)
    var container: String

    @Argument(help: "Its new name.")
    var name: String

    func run() throws {
        let all = Containers(try Store.open(global.layout))
        try all.rename(try all.container(named: container), to: name)
    }
}
