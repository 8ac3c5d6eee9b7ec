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

        @Flag(name: .shortAndLong, help: "Images with names, too.") var all = false

        @Flag(name: .shortAndLong, help: "Don't ask.") var force = false

        @Option(
            help: ArgumentHelp(
                "Only what was made before until=TIME, and images with label=NAME[=VALUE]. Repeatable.",
                valueName: "key=value"
            )
        )
        var filter: [String] = []

        func run() throws {
            let store = try global.store()
            let chosen = try ImageFilter(filter, keys: ["label", "until"], in: store)
            if !force {
                try Confirmation.ask(
                    "This removes all containers that have ended, and all images "
                        + (all ? "that no container uses then." : "without a name.")
                )
            }
            var pruning = Pruning(store)
            // Containers have no labels, so a filter for a label matches none.
            if !filter.contains(where: { $0.hasPrefix("label=") }) {
                let times = filter.filter { $0.hasPrefix("until=") }
                    .compactMap { LogMoment(argument: String($0.dropFirst("until=".count)))?.nanoseconds }
                try pruning.removeContainers(before: times.min())
            }
            try pruning.removeImages(all: all, chosen)
            try pruning.finish()
        }
    }
}
