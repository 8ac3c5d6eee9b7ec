import ArgumentParser
import Containers
import Linux
import Snapshots

struct CollectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        _superCommandName: Mica.name,
        abstract: "Free what nothing refers to.",
        discussion: """
            That is what no image, snapshot, container or mount needs, and no program that works with the store has \
            leased. Waits until no process is loading, committing or removing anything.

            Steps of builds are kept for two weeks after the last build that used them, and caches of RUN \
            --mount=type=cache as well. Steps that have more than 20 GiB of what no image has go earlier, those that were \
            not used for the longest time first.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: [.customShort("n"), .customLong("dry-run")], help: "Only say what would go.")
    var isDryRun = false

    @Flag(help: "Say of everything why it stays or goes.")
    var explain = false

    @Flag(help: "Also forget all steps of builds, and empty the caches of their commands.")
    var buildCache = false

    @Option(help: "table or json.")
    var format: OutputFormat = .table

    func run() throws {
        let store = try Store.openForCollection(global.layout)
        let problems = isDryRun ? [] : Containers(store).reclaim()
        guard var collection = try store.collect(dryRun: isDryRun, forgettingSteps: buildCache) else {
            return
        }
        collection.problems = problems + collection.problems
        switch format {
        case .json: try printJSON(Report(collection, explained: explain))
        case .table: show(collection)
        }
        for problem in collection.problems { Mica.complain(problem) }
        if !collection.problems.isEmpty { throw ExitCode(1) }
    }

    private func show(_ collection: Collection) {
        if explain {
            var table = Table("KIND", "NAME", "", "WHY")
            for verdict in collection.verdicts {
                table.add(
                    verdict.kind.rawValue,
                    verdict.name,
                    verdict.lives ? "stays" : "goes",
                    verdict.reason
                )
            }
            print(table.description)
        }
        let removed = collection.removed.sorted { $0.key < $1.key }.map { what, count in
            "\(count) \(count == 1 ? String(what.dropLast()) : what)"
        }
        let what = removed.isEmpty ? "" : " (\(removed.joined(separator: ", ")))"
        print("\(isDryRun ? "Would free" : "Freed") \(Human.size(collection.bytes))\(what)")
    }

    private struct Report: Encodable {
        struct Row: Encodable {
            var kind: String
            var name: String
            var lives: Bool
            var reason: String
        }

        var freedBytes: UInt64
        var removed: [String: Int]
        var verdicts: [Row]?

        init(_ collection: Collection, explained: Bool) {
            freedBytes = collection.bytes
            removed = collection.removed
            guard explained else { return }
            verdicts = collection.verdicts.map {
                Row(kind: $0.kind.rawValue, name: $0.name, lives: $0.lives, reason: $0.reason)
            }
        }
    }
}
