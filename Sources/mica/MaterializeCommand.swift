import ArgumentParser
import Containers
import Linux
import Snapshots

struct MaterializeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "materialize",
        _superCommandName: Mica.name,
        abstract: "Bring all data of changed files into a snapshot.",
        discussion: """
            Of a file whose attributes were changed, or a part of whose data was written, the rest stays in the image. \
            mica reads such files as they are; the kernel's overlayfs, and a program that copies the upper directory, needs \
            them whole. The snapshot must not be mounted. For directories: `micafs --materialize -o lowerdir=…`.
            """,
        aliases: ["settle"]
    )

    @OptionGroup var global: GlobalOptions

    @Argument(
        help: ArgumentHelp("Containers or active snapshots.", valueName: "container|snapshot"),
        completion: .subjects
    )
    var names: [String]

    func run() throws {
        let store = try Store.open(global.layout)
        for name in names { try store.materialize(name) }
    }
}
