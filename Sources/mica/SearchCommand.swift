import ArgumentParser
import Images
import Linux
import OCI
import Registry

struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        _superCommandName: Mica.name,
        abstract: "Find repositories of a registry.",
        discussion: """
            TERM is looked for on docker.io, or with HOST[:PORT]/ before it in that registry: by its search, or in the list \
            of its repositories. Not every registry has either.
            """
    )

    @Option(help: ArgumentHelp("At most so many.", valueName: "number")) var limit = 25

    @Flag(help: "Don't cut descriptions short.") var noTrunc = false

    @Option(help: "table, json, or a template with docker's fields.") var format = "table"

    @Option(
        help: ArgumentHelp("Whether certificates are verified, and TLS is needed.", valueName: "true|false")
    )
    var tlsVerify = "true"

    @Argument(help: "A part of a name.") var term: String

    private static let fields: FormatTemplate.Fields = [
        ("Name", "NAME"), ("Description", "DESCRIPTION"), ("StarCount", "STARS"), ("IsOfficial", "OFFICIAL"),
    ]

    func run() throws {
        guard (1...1000).contains(limit) else { throw Failure("--limit is 1 to 1000", exitCode: 64) }
        let isShort = ImageReference.isShort(term)
        let domain = isShort ? "docker.io" : try RegistryHost(String(term.prefix { $0 != "/" })).domain
        let wanted = isShort ? term : String(term.drop { $0 != "/" }.dropFirst())
        let found = try RemoteRepository.search(
            domain,
            for: wanted,
            limit: limit,
            verifiesTLS: try TLSVerify.value(tlsVerify)
        )
        let prefix = domain == "docker.io" ? "" : "\(domain)/"
        if format == "json" {
            return try printJSON(found.map { Row(prefix + $0.name, $0) })
        }
        let template = try FormatTemplate(
            format == "table" ? "table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}" : format,
            fields: SearchCommand.fields,
            of: "search"
        )
        try template.show(
            found.map { entry in
                let words = entry.description.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                return [
                    "Name": prefix + entry.name,
                    "Description": noTrunc || words.count <= 45 ? words : words.prefix(44) + "…",
                    "StarCount": "\(entry.stars)", "IsOfficial": entry.isOfficial ? "[OK]" : "",
                ]
            },
            fields: SearchCommand.fields
        )
    }

    private struct Row: Encodable {
        var name: String
        var description: String
        var stars: Int
        var isOfficial: Bool

        init(_ name: String, _ found: RegistryMessage.Found) {
            self.name = name
            description = found.description
            stars = found.stars
            isOfficial = found.isOfficial
        }
    }
}
