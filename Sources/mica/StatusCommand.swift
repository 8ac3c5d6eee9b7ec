import ArgumentParser
import Containers
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        _superCommandName: Mica.name,
        abstract: "Say what micad serves to containerd.",
        discussion: """
            The snapshots that containerd has in this store, and where they are mounted. mica's own commands neither \
            list nor change them. The exit status is 3 where no micad serves the store.
            """
    )

    /// As systemctl(1) has it for a service that does not run.
    private static let notServed: Int32 = 3

    @OptionGroup var global: GlobalOptions

    @Option(help: "table or json.")
    var format: OutputFormat = .table

    private struct Report: Encodable {
        var store: String
        /// Of the micad that serves the store.
        var pid: Int32?
        var socket: String?
        var committed: Int
        var views: Int
        var active: Int
        /// The active ones and the views.
        var snapshots: [Row]
    }

    private struct Row: Encodable {
        var key: String
        var kind: String
        var parent: String?
        /// nil where nothing is mounted: a layer is unpacked into it, or the machine has restarted.
        var mounted: String?
        /// Its micafs was killed.
        var dead: Bool
        /// RFC 3339.
        var created: String
    }

    func run() throws {
        let store = try Store.open(global.layout)
        let service = ServiceStatus(of: store.layout)
        let all = try store.snapshots(in: .containerd)
        var mounts: [String: MountRecord] = [:]
        for mount in try store.mounts() where mount.space == .containerd && (mount.isLive || mount.isDead) {
            if let key = mount.snapshot { mounts[key] = mount }
        }
        let used = all.filter { $0.kind != .committed }
        let report = Report(
            store: store.layout.root.string,
            pid: service?.pid,
            socket: service?.socket,
            committed: all.count - used.count,
            views: used.count { $0.kind == .view },
            active: used.count { $0.kind == .active },
            snapshots: used.map { record in
                Row(
                    key: record.key,
                    kind: record.kind.name,
                    parent: record.parent,
                    mounted: mounts[record.key]?.target.string,
                    dead: mounts[record.key]?.isDead ?? false,
                    created: Timestamp.text(record.created / 1_000_000_000)
                )
            }
        )
        switch format {
        case .json: try printJSON(report)
        case .table: show(report, used)
        }
        if service == nil { throw ExitCode(Self.notServed) }
    }

    private func show(_ report: Report, _ records: [SnapshotRecord]) {
        let served =
            report.pid.map { "by micad, process \($0), at \(Printable.text(report.socket ?? ""))" }
            ?? "by no micad"
        print(
            """
            Store:      \(report.store)
            Served:     \(served)
            Snapshots:  \(report.committed) committed, \(report.active) active, \(report.views) views
            """
        )
        guard !records.isEmpty else { return }
        var table = Table("KEY", "KIND", "PARENT", "MOUNTED AT", "CREATED")
        for (row, record) in zip(report.snapshots, records) {
            table.add(
                row.key,
                row.kind,
                row.parent ?? "",
                (row.mounted ?? "") + (row.dead ? " (dead)" : ""),
                Human.age(record.created / 1_000_000_000)
            )
        }
        print("\n\(table.description)")
    }
}
