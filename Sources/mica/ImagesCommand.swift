import ArgumentParser
import Digests
import Linux
import OCI
import Snapshots

struct ImagesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "images",
        _superCommandName: Mica.name,
        abstract: "List images.",
        discussion: """
            The newest first. An image's size is that of the files in its layers, also of those that others have as well; \
            mica system df -v says what it has for itself.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: .shortAndLong, help: "Makes no difference: there are no intermediate images.")
    var all = false

    @Flag(name: .shortAndLong, help: "Print IDs only.")
    var quiet = false

    @Flag(help: "Print IDs whole.")
    var noTrunc = false

    @Flag(help: "Print the digests of the manifests that were loaded.")
    var digests = false

    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp(
            "Only images with label=NAME[=VALUE], reference=PATTERN, dangling=true|false, before=IMAGE, since=IMAGE, until=TIME. Repeatable.",
            valueName: "key=value"
        )
    )
    var filter: [String] = []

    @Option(help: "table, json, or a template with docker's fields.")
    var format = "table"

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

    private static let filters = ["label", "reference", "dangling", "before", "since", "until"]

    private static let fields: FormatTemplate.Fields = [
        ("ID", "IMAGE ID"), ("Repository", "REPOSITORY"), ("Tag", "TAG"), ("Digest", "DIGEST"),
        ("CreatedSince", "CREATED"), ("CreatedAt", "CREATED AT"), ("Size", "SIZE"),
        ("Containers", "CONTAINERS"),
        ("SharedSize", "SHARED SIZE"), ("UniqueSize", "UNIQUE SIZE"),
    ]

    func run() throws {
        let store = try global.store()
        let images = try selected(try store.images(), in: store)
        if quiet {
            // An image with several tags is printed once.
            for image in images { print(id(image)) }
        } else if format == "json" {
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
        } else if format == "table" {
            table(images)
        } else {
            try FormatTemplate(format, fields: ImagesCommand.fields, of: "images")
                .show(try rows(images, in: store), fields: ImagesCommand.fields)
        }
    }

    private func table(_ images: [ImageRecord]) {
        var table =
            digests
            ? Table("REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE")
            : Table("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE")
        for (image, name) in images.flatMap(named) {
            let digest = image.manifestDigest.map { "\($0)" } ?? "<none>"
            let (repository, tag) = (name?.familiarName ?? "<none>", name?.tag ?? "<none>")
            if digests {
                table.add(repository, tag, digest, id(image), created(image), Human.size(image.size))
            } else {
                table.add(repository, tag, id(image), created(image), Human.size(image.size))
            }
        }
        print(table.description)
    }

    /// One row for each name.
    private func named(_ image: ImageRecord) -> [(ImageRecord, ImageReference?)] {
        let names = image.tags.compactMap { try? ImageReference($0) }
        return names.isEmpty ? [(image, nil)] : names.map { (image, $0) }
    }

    private func created(_ image: ImageRecord) -> String {
        image.created == 0 ? "N/A" : Human.age(image.created)
    }

    private func rows(_ images: [ImageRecord], in store: Store) throws -> [[String: String]] {
        let sizes = try LayerSizes(store)
        let containers = try store.containers()
        return images.flatMap(named).map { image, name in
            [
                "ID": id(image), "Repository": name?.familiarName ?? "<none>", "Tag": name?.tag ?? "<none>",
                "Digest": image.manifestDigest.map { "\($0)" } ?? "<none>", "CreatedSince": created(image),
                "CreatedAt": Timestamp.text(image.created), "Size": Human.size(image.size),
                "Containers": "\(containers.count { $0.image == image.id })",
                "SharedSize": Human.size(sizes.shared(image)), "UniqueSize": Human.size(sizes.unique(image)),
            ]
        }
    }

    private func selected(_ images: [ImageRecord], in store: Store) throws -> [ImageRecord] {
        let names = name.map { ["reference=\($0)"] } ?? []
        let named = try ImageFilter(names, keys: ["reference"], in: store).apply(to: images)
        return try ImageFilter(filter, keys: ImagesCommand.filters, in: store).apply(to: named)
    }

    private func id(_ image: ImageRecord) -> String {
        noTrunc ? "\(image.id)" : String(image.id.hex.prefix(12))
    }
}
