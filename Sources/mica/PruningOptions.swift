import ArgumentParser
import Snapshots

/// What verbs that remove many things at once are told.
struct PruningOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Images with names, too.") var all = false

    @Flag(name: .shortAndLong, help: "Don't ask.") var force = false

    @Option(
        help: ArgumentHelp(
            "Only what was made before until=TIME, and images with label=NAME[=VALUE] or label!=NAME[=VALUE]. Repeatable.",
            valueName: "key=value"
        )
    )
    var filter: [String] = []

    func chosen(in store: Store) throws -> ImageFilter {
        try ImageFilter(filter, keys: ["label", "until"], in: store)
    }
}
