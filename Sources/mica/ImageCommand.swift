import ArgumentParser
import Linux
import Snapshots

struct ImageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        _superCommandName: Mica.name,
        abstract: "Remove many images at once.",
        discussion:
            "docker's other members of this group are verbs of their own: mica images, rmi, pull, push, load, save.",
        subcommands: [Prune.self]
    )

    struct Prune: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove unused images.",
            discussion: "Images without a name that no container uses; with -a also those with names."
        )

        @OptionGroup var global: GlobalOptions

        @Flag(name: .shortAndLong, help: "Those with names, too.") var all = false

        @Flag(name: .shortAndLong, help: "Don't ask.") var force = false

        @Option(
            help: ArgumentHelp(
                "Only images with label=NAME[=VALUE], label!=NAME[=VALUE], or made before until=TIME. Repeatable.",
                valueName: "key=value"
            )
        )
        var filter: [String] = []

        func run() throws {
            let store = try global.store()
            let chosen = try ImageFilter(filter, keys: ["label", "until"], in: store)
            if !force {
                try Confirmation.ask(
                    all
                        ? "This removes all images that no container uses."
                        : "This removes all images without a name."
                )
            }
            var pruning = Pruning(store)
            try pruning.removeImages(all: all, chosen)
            try pruning.finish()
        }
    }
}
