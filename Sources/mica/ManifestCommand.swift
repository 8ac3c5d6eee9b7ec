import ArgumentParser
import Images
import Linux
import OCI

struct ManifestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifest",
        _superCommandName: Mica.name,
        abstract: "Look at manifests in registries.",
        subcommands: [Inspect.self, ReferrersCommand.self]
    )

    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an image's manifest, or its index, as JSON.",
            discussion: "As its registry has it; nothing else is fetched."
        )

        @Option(
            help: ArgumentHelp(
                "Whether certificates are verified, and TLS is needed.",
                valueName: "true|false"
            )
        )
        var tlsVerify = "true"

        @Argument(help: "The image.") var name: String

        func run() throws {
            let remote = try RemoteRepository(name, verifiesTLS: try TLSVerify.value(tlsVerify))
            defer { remote.close() }
            try printJSON(
                try JSONDocument.decode(
                    JSONValue.self,
                    from: try remote.manifest(),
                    name: "the manifest of \(name)"
                )
            )
        }
    }
}
