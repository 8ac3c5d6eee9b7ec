import ArgumentParser
import Containers
import Linux
import OCI
import Snapshots
import SystemPackage

struct ListMountsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mounts",
        _superCommandName: Mica.name,
        abstract: "List what mica has mounted.",
        discussion: """
            One that is not here was unmounted by another program than mica, and other processes still have it: who \
            they are is said below the table. mica umount ends it for them.
            """
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
        /// Whether it is visible at its directory in this mount namespace.
        var here: Bool
        /// If not: the processes that still use it.
        var holders: [Holder]
        /// RFC 3339.
        var created: String
    }

    private struct Holder: Encodable {
        var pid: Int32
        var command: String
        /// Where it sees the mount; nil for a process that only has a file in it open.
        var directory: String?
    }

    func run() throws {
        let store = try Store.open(global.layout)
        let mounts = try Mounts(store).all()
        let rows = try mounts.map { listed in
            let mount = listed.record
            let kind = try mount.snapshot.map { try store.snapshot($0, in: mount.space).kind }
            return Row(
                id: mount.id,
                source: mount.source,
                target: mount.target.string,
                snapshot: mount.snapshot,
                writable: kind == .active,
                dead: mount.isDead,
                here: listed.isHere,
                holders: listed.holders.map {
                    Holder(pid: $0.pid, command: $0.command, directory: $0.directory?.string)
                },
                created: Timestamp.text(mount.created / 1_000_000_000)
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
            for (row, mount) in zip(rows, mounts) {
                table.add(
                    row.source,
                    row.target,
                    (row.writable ? "rw" : "ro") + (row.dead ? " (dead)" : row.here ? "" : " (not here)"),
                    row.writable ? row.snapshot ?? "" : "",
                    Human.age(mount.record.created / 1_000_000_000)
                )
            }
            print(table.description)
            for row in rows where !row.here { explain(row) }
        }
    }

    private func explain(_ row: Row) {
        // A container may choose where it mounts and what it is called.
        let target = Printable.text(row.target)
        print("\n\(target) was unmounted here (mica umount \(target) ends it). Who still has it:")
        for holder in row.holders {
            let place = holder.directory.map { "sees it at \(Printable.text($0))" } ?? "has files of it open"
            print("  process \(holder.pid) (\(Printable.text(holder.command))) \(place)")
        }
        if row.holders.isEmpty {
            print("  only its micafs: it is about to end, or hangs (mica umount -f kills it)")
        }
    }
}
