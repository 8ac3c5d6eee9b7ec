import ArgumentParser
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage

extension SnapshotCommand {
    /// A row of the JSON output.
    struct Row: Encodable {
        var key: String
        var kind: String
        var parent: String?
        var layers: [Digest]
        var labels: [String: String]
        /// RFC 3339.
        var created: String
        var updated: String
        /// Both nil unless the snapshot is active.
        var upper: String?
        var work: String?

        init(_ record: SnapshotRecord, in store: Store) {
            key = record.key
            kind = record.kind.name
            parent = record.parent
            layers = record.layers
            labels = record.labels
            created = Timestamp.text(record.created / 1_000_000_000)
            updated = Timestamp.text(record.updated / 1_000_000_000)
            guard record.kind == .active else { return }
            let directory = store.layout.snapshot(record.id)
            upper = directory.appending("upper").string
            work = directory.appending("work").string
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "ls", abstract: "List snapshots.")

        @OptionGroup var global: GlobalOptions

        @Flag(name: [.short, .long], help: "Keys only.")
        var quiet = false

        @Option(help: "table or json.")
        var format: OutputFormat = .table

        func run() throws {
            let store = try Store.open(global.layout)
            let snapshots = try store.snapshots()
            if quiet {
                for snapshot in snapshots { print(snapshot.key) }
            } else if format == .json {
                try printJSON(snapshots.map { Row($0, in: store) })
            } else {
                var table = Table("KEY", "KIND", "LAYERS", "CREATED", "PARENT")
                for snapshot in snapshots {
                    table.add(
                        snapshot.key,
                        snapshot.kind.name,
                        "\(snapshot.layers.count)",
                        Human.age(snapshot.created / 1_000_000_000),
                        snapshot.parent ?? ""
                    )
                }
                print(table.description)
            }
        }
    }

    struct Stat: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show everything about a snapshot, as JSON."
        )

        @OptionGroup var global: GlobalOptions

        @Argument(help: "Its key.", completion: .snapshots)
        var key: String

        func run() throws {
            let store = try Store.open(global.layout)
            try printJSON(Row(store.snapshot(key), in: store))
        }
    }

    struct Usage: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what snapshots take by themselves, without their parents."
        )

        @OptionGroup var global: GlobalOptions

        @Option(help: "table or json.")
        var format: OutputFormat = .table

        @Argument(help: "Keys; all without one.", completion: .snapshots)
        var keys: [String] = []

        private struct Row: Encodable {
            var key: String
            var bytes: UInt64
            var inodes: UInt64
        }

        func run() throws {
            let store = try Store.open(global.layout)
            let keys = keys.isEmpty ? try store.snapshots().map(\.key) : keys
            let rows = try keys.map { key in
                let usage = try store.usage(key)
                return Row(key: key, bytes: usage.bytes, inodes: usage.inodes)
            }
            if format == .json { return try printJSON(rows) }
            var table = Table("KEY", "SIZE", "INODES")
            for row in rows { table.add(row.key, Human.size(row.bytes), "\(row.inodes)") }
            print(table.description)
        }
    }
}
