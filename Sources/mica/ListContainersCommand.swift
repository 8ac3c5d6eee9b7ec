import ArgumentParser
import Containers
import Digests
import OCI
import Runner
import Snapshots

struct ListContainersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps",
        _superCommandName: Mica.name,
        abstract: "List containers."
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: [.short, .long], help: "Those that don't run, too.")
    var all = false

    @Flag(name: [.short, .long], help: "IDs only.")
    var quiet = false

    @Flag(help: "Whole IDs and commands.")
    var noTrunc = false

    @Option(help: "table, json, or a template with docker's fields.")
    var format = "table"

    func run() throws {
        let containers = Containers(try Store.open(global.layout))
        containers.reclaim()
        let template =
            ["table", "json"].contains(format)
            ? nil
            : try FormatTemplate(format, fields: ListContainersCommand.fields, methods: ["Label"], of: "ps")
        let wantsLabels = template.map { $0.uses("Labels") || $0.uses(method: "Label") } ?? false
        let rows = try containers.all().map {
            Row(
                $0,
                containers.status(of: $0),
                isRootLost: containers.isRootLost($0),
                size: template?.uses("Size") == true
                    ? try containers.store.usage($0.record.snapshot).bytes : nil,
                labels: wantsLabels ? try labels(of: $0.record.image, in: containers.store) : [:]
            )
        }.filter { all || $0.phase.isAlive || $0.phase == .restarting }
        if quiet {
            for row in rows { print(noTrunc || format == "json" ? row.id : String(row.id.prefix(12))) }
            return
        }
        if let template {
            try template.show(
                rows.map(fields),
                fields: ListContainersCommand.fields,
                methods: rows.map { ["Label": $0.labels] }
            )
        } else if format == "json" {
            try printJSON(rows)
        } else {
            var table = Table("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "NAMES")
            for row in rows {
                table.add(
                    shown(row.id),
                    row.image,
                    shownCommand(row),
                    row.age,
                    row.status,
                    row.name
                )
            }
            print(table.description)
        }
    }

    /// A container has those of its image.
    private func labels(of image: Digest, in store: Store) throws -> [String: String] {
        guard let record = try store.image(image) else { return [:] }
        return try ImageConfig(json: record.config, name: "image \(image): its config").config?.labels ?? [:]
    }

    private func shown(_ id: String) -> String { noTrunc ? id : String(id.prefix(12)) }

    private func shownCommand(_ row: Row) -> String {
        let command = row.command.joined(separator: " ")
        return "\"\(noTrunc || command.count <= 20 ? command : "\(command.prefix(19))…")\""
    }

    private static let fields: FormatTemplate.Fields = [
        ("ID", "CONTAINER ID"), ("Image", "IMAGE"), ("Command", "COMMAND"), ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"), ("Ports", "PORTS"), ("State", "STATE"), ("Status", "STATUS"),
        ("Names", "NAMES"), ("Labels", "LABELS"), ("Mounts", "MOUNTS"), ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"), ("Size", "SIZE"),
    ]

    private func fields(_ row: Row) -> [String: String] {
        [
            "ID": shown(row.id), "Image": row.image, "Command": shownCommand(row), "CreatedAt": row.created,
            "RunningFor": row.age, "State": row.state, "Status": row.status, "Names": row.name,
            "Mounts": row.mounts.joined(separator: ","), "Networks": row.network,
            "Size": row.size.map(Human.size) ?? "",
            "Labels": row.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                .joined(separator: ","),
            // As docker shows a container that has no network, or the host's; and no volume has a name.
            "Ports": "", "LocalVolumes": "0",
        ]
    }

    private struct Row: Encodable {
        var id: String
        var name: String
        var image: String
        var imageID: String
        var command: [String]
        /// RFC 3339.
        var created: String
        var started: String?
        var finished: String?
        /// created, running, paused, restarting, exited or unknown.
        var state: String
        /// For the table: `Up 3 minutes`.
        var status: String
        var pid: Int32?
        /// Whether it runs without a root, because its micafs was killed.
        var rootLost = false
        /// Missing while it runs, and when its end was not observed.
        var exitCode: Int32?
        var error: String?
        /// For the table; not in JSON.
        let age: String
        let phase: ContainerPhase
        /// For templates, like what follows: directories of the host.
        let mounts: [String]
        let network: String
        /// Bytes that it wrote; nil where nothing asks.
        let size: UInt64?
        /// Empty where nothing asks.
        let labels: [String: String]

        private enum CodingKeys: CodingKey {
            case id, name, image, imageID, command, created, started, finished, state, status, pid, rootLost
            case exitCode, error
        }

        init(
            _ container: Container,
            _ status: Containers.Status,
            isRootLost: Bool,
            size: UInt64?,
            labels: [String: String]
        ) {
            self.labels = labels
            id = container.record.id
            name = container.record.name
            image = container.record.imageName
            imageID = "\(container.record.image)"
            command = container.spec.process.arguments
            mounts = container.spec.volumes.map(\.source)
            network = container.spec.network.rawValue
            self.size = size
            let time = { (nanoseconds: Int64) in Timestamp.text(nanoseconds / 1_000_000_000) }
            created = time(container.record.created)
            age = Human.age(container.record.created / 1_000_000_000)
            let stored = container.files.readState()
            started = stored?.started.map(time)
            error = stored?.error
            phase = status.phase
            state = status.phase.rawValue
            switch status {
            case .created: self.status = "Created"
            case .running(let process, let since), .paused(let process, let since):
                pid = process.pid
                rootLost = isRootLost
                self.status =
                    "Up " + Human.age(since / 1_000_000_000).replacingSuffix(" ago", with: "")
                    + (status.phase == .paused ? " (Paused)" : "")
                    + (isRootLost ? " (root filesystem lost)" : "")
            case .restarting: self.status = "Restarting"
            case .exited(let code, let finished):
                exitCode = code
                self.finished = finished.map(time)
                let age = finished.map { " " + Human.age($0 / 1_000_000_000) } ?? ""
                self.status = "Exited (\(code.map { "\($0)" } ?? "unknown"))\(age)"
            case .unknown: self.status = "Unknown (its state can't be read)"
            }
        }
    }
}

extension String {
    fileprivate func replacingSuffix(_ suffix: String, with other: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) + other : self
    }
}
