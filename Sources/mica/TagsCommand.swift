import ArgumentParser
import Images
import Linux
import OCI

struct TagsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tags",
        _superCommandName: Mica.name,
        abstract: "List the tags that a registry has of a name."
    )

    @Option(
        help: ArgumentHelp("Whether certificates are verified, and TLS is needed.", valueName: "true|false")
    )
    var tlsVerify = "true"

    @Argument(help: "The name, without a tag.") var name: String

    func run() throws {
        let remote = try RemoteRepository(name, verifiesTLS: try TLSVerify.value(tlsVerify))
        defer { remote.close() }
        for tag in try remote.tags() { print(tag) }
    }
}
