import ArgumentParser
import Images
import Linux
import Registry

struct ReferrersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "referrers",
        abstract: "List what a registry has about an image: signatures, attestations and the like.",
        discussion: """
            Manifests whose subject is the image's manifest, or its index, as the registry lists them; where it knows of no \
            such lists, from the tag that stands for one.
            """
    )

    @Option(help: ArgumentHelp("Only artifacts of this type.", valueName: "type")) var artifactType: String?

    @Option(help: "table, json, or a template.") var format = "table"

    @Option(
        help: ArgumentHelp("Whether certificates are verified, and TLS is needed.", valueName: "true|false")
    )
    var tlsVerify = "true"

    @Argument(help: "The image.") var name: String

    private static let fields: FormatTemplate.Fields = [
        ("Digest", "DIGEST"), ("ArtifactType", "ARTIFACT TYPE"), ("MediaType", "MEDIA TYPE"),
        ("Size", "SIZE"),
        ("Annotations", "ANNOTATIONS"),
    ]

    func run() throws {
        let template = try FormatTemplate(
            ["table", "json"].contains(format) ? "table {{.Digest}}\t{{.ArtifactType}}\t{{.Size}}" : format,
            fields: ReferrersCommand.fields,
            of: "manifest referrers"
        )
        let remote = try RemoteRepository(name, verifiesTLS: try TLSVerify.value(tlsVerify))
        defer { remote.close() }
        let found = try remote.referrers(type: artifactType)
        if format == "json" { return try printJSON(found) }
        try template.show(
            found.map { entry in
                let notes = (entry.annotations ?? [:]).sorted { $0.key < $1.key }
                return [
                    "Digest": entry.digest,
                    "ArtifactType": Printable.text(entry.artifactType ?? ""),
                    "MediaType": Printable.text(entry.mediaType ?? ""),
                    "Size": entry.size.map { Human.size($0) } ?? "",
                    "Annotations": Printable.text(
                        notes.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
                    ),
                ]
            },
            fields: ReferrersCommand.fields
        )
    }
}
