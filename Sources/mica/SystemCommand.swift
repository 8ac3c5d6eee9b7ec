import ArgumentParser
import Containers
import Linux
import Snapshots

struct SystemCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "system",
        _superCommandName: Mica.name,
        abstract: "Say what the store takes, and free it.",
        subcommands: [DiskUse.self, Prune.self]
    )

    struct Prune: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Remove ended containers, unused images, and what nothing refers to.",
            discussion: "Images without a name that no container uses; with -a also those with names."
        )

        @OptionGroup var global: GlobalOptions

        @OptionGroup var options: PruningOptions

        func run() throws {
            let store = try global.store()
            let chosen = try options.chosen(in: store)
            if !options.force {
                try Confirmation.ask(
                    "This removes all containers that have ended, and all images "
                        + (options.all ? "that no container uses then." : "without a name.")
                )
            }
            var pruning = Pruning(store)
            // Containers have no labels, so a filter for a label matches none.
            if !options.filter.contains(where: { $0.hasPrefix("label=") }) {
                let times = options.filter.filter { $0.hasPrefix("until=") }
                    .compactMap { LogMoment(argument: String($0.dropFirst("until=".count)))?.nanoseconds }
                try pruning.removeContainers(before: times.min())
            }
            try pruning.removeImages(all: options.all, chosen)
            try pruning.finish()
        }
    }
}
