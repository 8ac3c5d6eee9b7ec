import ArgumentParser
import Containers
import Snapshots
import SystemPackage

struct ListMountsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mounts",
        _superCommandName: Mica.name,
        abstract: "List what mica has mounted."
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: [.short, .long], help: "Directories only.")
    var quiet = false

    @Option(help: "table or json.")
    var format: OutputFormat = .table

    private struct Row: Encodable {
        var id: Int64
        var source: String
        var target: String
        var snapshot: String?
        var writable: Bool
        /// Its micafs was killed: it answers nothing, and can only be unmounted.
        var dead: Bool
        /// Unix nanoseconds.
        var created: Int64
    }

    func run() throws {
        let store = try Store.open(global.layout)
        let rows = try Mounts(store).all().map { mount in
            let kind = try mount.snapshot.map { try store.snapshot($0).kind }
            return Row(
                id: mount.id,
                source: mount.source,
                target: mount.target.string,
                snapshot: mount.snapshot,
                writable: kind == .active,
                dead: mount.isDead,
                created: mount.created
            )
        }
        if quiet {
            for row in rows { print(row.target) }
            return
        }
        switch format {
        case .json: try printJSON(rows)
        case .table:
            var table = Table("SOURCE", "DIRECTORY", "MODE", "SNAPSHOT", "CREATED")
            for row in rows {
                table.add(
                    row.source,
                    row.target,
                    (row.writable ? "rw" : "ro") + (row.dead ? " (dead)" : ""),
                    row.writable ? row.snapshot ?? "" : "",
                    Human.age(row.created / 1_000_000_000)
                )
            }
            print(table.description)
        }
    }
}
