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

        @OptionGroup var options: PruningOptions

        func run() throws {
            let store = try global.store()
            let chosen = try options.chosen(in: store)
            if !options.force {
                try Confirmation.ask(
                    options.all
                        ? "This removes all images that no container uses."
                        : "This removes all images without a name."
                )
            }
            var pruning = Pruning(store)
            try pruning.removeImages(all: options.all, chosen)
            try pruning.finish()
        }
    }
}
