import ArgumentParser
import Containers
import Digests
import Linux
import OCI
import Snapshots

extension SystemCommand {
    struct DiskUse: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "df",
            abstract: "Say what images, containers and other snapshots take.",
            discussion: """
                Of images the files in their layers, each layer once; what is reclaimable would go with the images that no \
                container has. Of containers what they wrote. Volumes are directories of the host's, and are not counted.
                """
        )

        @OptionGroup var global: GlobalOptions

        @Flag(name: .shortAndLong, help: "Say it of each.") var verbose = false

        @Option(help: "table, json, or a template with docker's fields.") var format = "table"

        private static let fields: FormatTemplate.Fields = [
            ("Type", "TYPE"), ("TotalCount", "TOTAL"), ("Active", "ACTIVE"), ("Size", "SIZE"),
            ("Reclaimable", "RECLAIMABLE"),
        ]

        private struct Row: Encodable {
            var type: String
            var total: Int
            var active: Int
            var size: UInt64
            var reclaimable: UInt64

            var fields: [String: String] {
                let share = size > 0 ? " (\(reclaimable * 100 / size)%)" : ""
                return [
                    "Type": type, "TotalCount": "\(total)", "Active": "\(active)", "Size": Human.size(size),
                    "Reclaimable": Human.size(reclaimable) + share,
                ]
            }
        }

        func run() throws {
            let store = try global.store()
            if verbose {
                guard format == "table" else {
                    throw Failure("-v is a table: it has no --format", exitCode: 64)
                }
                return try details(store)
            }
            let rows = try rows(store)
            if format == "json" { return try printJSON(rows) }
            let text =
                format == "table"
                ? "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}" : format
            try FormatTemplate(text, fields: DiskUse.fields, of: "system df")
                .show(rows.map(\.fields), fields: DiskUse.fields)
        }

        private func rows(_ store: Store) throws -> [Row] {
            let images = try store.images()
            let sizes = try LayerSizes(store)
            let containers = Containers(store)
            let all = try containers.all()
            let used = Set(all.map(\.record.image))
            let written = try all.map { (container: $0, size: try store.usage($0.record.snapshot).bytes) }
            let running = written.filter { containers.isRunning($0.container) }
            let mine = Set(all.map(\.record.snapshot))
            let others = try store.snapshots().filter { $0.kind == .active && !mine.contains($0.key) }
            let mounted = Set(try store.mounts().compactMap { $0.isLive ? $0.snapshot : nil })
            let othersSize = try others.reduce(0) { try $0 + store.usage($1.key).bytes }
            let total = written.reduce(0) { $0 + $1.size }
            return [
                Row(
                    type: "Images",
                    total: images.count,
                    active: images.count { used.contains($0.id) },
                    size: sizes.total,
                    reclaimable: sizes.freed(by: images.filter { !used.contains($0.id) })
                ),
                Row(
                    type: "Containers",
                    total: all.count,
                    active: running.count,
                    size: total,
                    reclaimable: total - running.reduce(0) { $0 + $1.size }
                ),
                Row(
                    type: "Other Snapshots",
                    total: others.count,
                    active: others.count { mounted.contains($0.key) },
                    size: othersSize,
                    reclaimable: 0
                ),
            ]
        }

        private func details(_ store: Store) throws {
            let sizes = try LayerSizes(store)
            let containers = Containers(store)
            let all = try containers.all()
            print("Images:\n")
            var table = Table(
                "REPOSITORY",
                "TAG",
                "IMAGE ID",
                "CREATED",
                "SIZE",
                "SHARED SIZE",
                "UNIQUE SIZE",
                "CONTAINERS"
            )
            for image in try store.images() {
                let names = image.tags.compactMap { try? ImageReference($0) }
                for name in names.isEmpty ? [nil] : names.map(Optional.some) {
                    table.add(
                        name?.familiarName ?? "<none>",
                        name?.tag ?? "<none>",
                        String(image.id.hex.prefix(12)),
                        image.created == 0 ? "N/A" : Human.age(image.created),
                        Human.size(image.size),
                        Human.size(sizes.shared(image)),
                        Human.size(sizes.unique(image)),
                        "\(all.count { $0.record.image == image.id })"
                    )
                }
            }
            print(table.description)
            print("\nContainers:\n")
            var rows = Table("CONTAINER ID", "IMAGE", "SIZE", "CREATED", "STATUS", "NAMES")
            for container in all {
                rows.add(
                    container.shortID,
                    container.record.imageName,
                    Human.size(try store.usage(container.record.snapshot).bytes),
                    Human.age(container.record.created / 1_000_000_000),
                    containers.isRunning(container) ? "running" : "not running",
                    container.record.name
                )
            }
            print(rows.description)
        }
    }
}
