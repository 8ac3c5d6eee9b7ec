import ArgumentParser
import Digests
import Linux
import OCI
import Snapshots

struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        _superCommandName: Mica.name,
        abstract: "Show how an image was made, the last step first."
    )

    @OptionGroup var global: GlobalOptions

    @Flag(help: "Don't cut anything short.")
    var noTrunc = false

    @Flag(name: .shortAndLong, help: "Print the image's ID only.")
    var quiet = false

    @Option(help: "table, json, or a template with docker's fields.")
    var format = "table"

    @Argument(help: "A name or an ID.", completion: .images)
    var image: String

    private struct Step: Encodable {
        var id: String?
        var created: String?
        var createdBy: String
        var comment: String
        var layer: String?
        var size: UInt64
    }

    func run() throws {
        let store = try global.store()
        let image = try store.image(named: image)
        let steps = try steps(of: image, in: store)
        if quiet {
            print(noTrunc ? "\(image.id)" : String(image.id.hex.prefix(12)))
        } else if format == "json" {
            try printJSON(steps)
        } else if format == "table" {
            table(steps)
        } else {
            try FormatTemplate(format, fields: HistoryCommand.fields, of: "history")
                .show(steps.map(row), fields: HistoryCommand.fields)
        }
    }

    private func steps(of image: ImageRecord, in store: Store) throws -> [Step] {
        let config = try ImageConfig(json: image.config, name: "image \(image.id): its config")
        var history = config.history ?? []
        // A history that does not fit the layers says nothing about any of them.
        if history.count(where: { $0.emptyLayer != true }) != image.layers.count {
            history = image.layers.map { _ in .init(created: config.created, createdBy: nil) }
        }
        var layers = image.layers[...]
        var steps: [Step] = []
        for entry in history {
            let layer = entry.emptyLayer == true ? nil : layers.popFirst()
            steps.append(
                Step(
                    created: entry.created,
                    createdBy: entry.createdBy ?? "",
                    comment: entry.comment ?? "",
                    layer: layer.map { "\($0)" },
                    size: try layer.flatMap { try store.layer($0)?.contentSize } ?? 0
                )
            )
        }
        if !steps.isEmpty { steps[steps.count - 1].id = "\(image.id)" }
        return steps.reversed()
    }

    private static let fields: FormatTemplate.Fields = [
        ("ID", "IMAGE"), ("CreatedSince", "CREATED"), ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"), ("Comment", "COMMENT"),
    ]

    private func row(_ step: Step) -> [String: String] {
        let created = step.created.flatMap(Timestamp.known)
        return [
            "ID": step.id.map { noTrunc ? $0 : String($0.dropFirst(7).prefix(12)) } ?? "<missing>",
            "CreatedSince": created.map { Human.age($0) } ?? "N/A",
            "CreatedAt": created.map { Timestamp.text($0) } ?? "N/A",
            "CreatedBy": shortened(step.createdBy), "Size": Human.size(step.size), "Comment": step.comment,
        ]
    }

    private func table(_ steps: [Step]) {
        var table = Table("IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT")
        for row in steps.map(row) {
            let age = row[noTrunc ? "CreatedAt" : "CreatedSince"] ?? ""
            table.add(row["ID"] ?? "", age, row["CreatedBy"] ?? "", row["Size"] ?? "", row["Comment"] ?? "")
        }
        print(table.description)
    }

    private func shortened(_ command: String) -> String {
        noTrunc || command.count <= 45 ? command : command.prefix(44) + "…"
    }
}
