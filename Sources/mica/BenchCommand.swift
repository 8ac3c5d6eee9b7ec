import ArgumentParser
import Containers
import FoundationEssentials
import Layers
import Linux
import Snapshots
import SystemPackage

import Glibc

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        _superCommandName: Mica.name,
        abstract: "Measure this machine with an image.",
        subcommands: [BenchLookupCommand.self]
    )
}

struct BenchLookupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lookup",
        abstract: "Nanoseconds per lookup, of names that exist and of names that don't.",
        discussion: """
            For stacks of the image's lowest 1, 5, 20, 60 … layers and the whole image: in the index, in random order; \
            and with lstat(2) through a mount, first (a request to the daemon for each name) and again (the kernel \
            knows). Medians of several rounds, but for the first look, of which there is only one.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(help: "Leave out the mount.")
    var indexOnly = false

    @Option(help: ArgumentHelp("Look up no more names than this.", valueName: "names"))
    var sample = 10_000

    @Option(help: ArgumentHelp("json or table.", valueName: "format"))
    var format = OutputFormat.table

    @Argument(help: "An image in the store.", completion: .images)
    var image: String

    func validate() throws {
        if sample < 1 { throw ValidationError("--sample has to be positive.") }
    }

    func run() throws {
        let store = try Store.open(global.layout)
        // The collector must not remove a chain while it is measured.
        let lock = try store.lockForChange()
        defer { _ = lock.raw }
        let layers = try store.image(named: image).layers
        let depths = [1, 5, 20, 60].filter { $0 < layers.count } + [layers.count]
        let rows = try depths.map { depth in
            try LookupBench(Array(layers.prefix(depth)), in: store.layout, sample: sample)
                .measure(mounted: !indexOnly)
        }
        switch format {
        case .json: try printJSON(rows)
        case .table: print(table(rows).description)
        }
    }

    private func table(_ rows: [LookupBench.Result]) -> Table {
        func text(_ nanoseconds: Double?) -> String {
            nanoseconds.map { String(Int($0.rounded())) } ?? "-"
        }
        var table = Table(
            "LAYERS",
            "ENTRIES",
            "INDEX",
            "ABSENT",
            "MOUNT FIRST",
            "ABSENT",
            "MOUNT AGAIN",
            "ABSENT (ns)"
        )
        for row in rows {
            table.add(
                "\(row.layers)",
                "\(row.entries)",
                text(row.index),
                text(row.indexAbsent),
                text(row.mountFirst),
                text(row.mountFirstAbsent),
                text(row.mountAgain),
                text(row.mountAgainAbsent)
            )
        }
        return table
    }
}
