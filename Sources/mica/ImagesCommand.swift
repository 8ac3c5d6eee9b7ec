import ArgumentParser
import Digests
import Linux
import OCI
import Snapshots

struct ImagesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "images",
        _superCommandName: Mica.name,
        abstract: "List images."
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: .shortAndLong, help: "Print IDs only.")
    var quiet = false

    @Flag(help: "Print IDs whole.")
    var noTrunc = false

    @Flag(help: "Print the digests of the manifests that were loaded.")
    var digests = false

    @Option(help: "table or json.")
    var format = OutputFormat.table

    @Argument(
        help: ArgumentHelp(
            "Only images of this name, or of this name and tag; * and ? stand for others.",
            valueName: "name"
        )
    )
    var name: String?

    private struct Row: Encodable {
        var id: String
        var tags: [String]
        var digest: String?
        var created: String
        var size: UInt64
        var layers: [String]
    }

    func run() throws {
        let images = try selected(try global.store().images())
        if quiet {
            for image in images { print(id(image)) }
        } else if format == .json {
            try printJSON(
                images.map { image in
                    Row(
                        id: "\(image.id)",
                        tags: image.names,
                        digest: image.manifestDigest.map { "\($0)" },
                        created: Timestamp.text(image.created),
                        size: image.size,
                        layers: image.layers.map { "\($0)" }
                    )
                }
            )
        } else {
            table(images)
        }
    }

    private func table(_ images: [ImageRecord]) {
        var table =
            digests
            ? Table("REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE")
            : Table("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE")
        for image in images {
            let names = image.tags.compactMap { try? ImageReference($0) }
            let digest = image.manifestDigest.map { "\($0)" } ?? "<none>"
            let created = image.created == 0 ? "N/A" : Human.age(image.created)
            for name in names.isEmpty ? [nil] : names.map(Optional.some) {
                let (repository, tag) = (name?.familiarName ?? "<none>", name?.tag ?? "<none>")
                if digests {
                    table.add(repository, tag, digest, id(image), created, Human.size(image.size))
                } else {
                    table.add(repository, tag, id(image), created, Human.size(image.size))
                }
            }
        }
        print(table.description)
    }

    private func selected(_ images: [ImageRecord]) throws -> [ImageRecord] {
        guard let name else { return images }
        let pattern = try ImageNamePattern(name)
        return images.compactMap { image in
            var image = image
            image.tags = image.tags.filter { tag in (try? ImageReference(tag)).map(pattern.matches) ?? false }
            return image.tags.isEmpty ? nil : image
        }
    }

    private func id(_ image: ImageRecord) -> String {
        noTrunc ? "\(image.id)" : String(image.id.hex.prefix(12))
    }
}
