import ArgumentParser
import Containers
import Digests
import FoundationEssentials
import Linux
import OCI
import Snapshots

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        _superCommandName: Mica.name,
        abstract: "Show everything about containers and images, as JSON.",
        discussion:
            "A container's state is in it, its process, where its files are, and what it was asked to run."
    )

    enum Kind: String, ExpressibleByArgument, CaseIterable { case container, image }

    @OptionGroup var global: GlobalOptions

    @Option(help: "container or image, where a name could be both.")
    var type: Kind?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "json, or a template with the members of that, such as {{.State.Pid}}.",
            valueName: "template"
        )
    )
    var format = "json"

    @Argument(help: ArgumentHelp("Names or IDs.", valueName: "name"), completion: .containers)
    var names: [String]

    func run() throws {
        let store = try global.store()
        let documents = try names.map { try document(named: $0, in: store) }
        guard format != "json" else { return try printJSON(documents) }
        for document in documents {
            guard case .object(let members) = document else { continue }
            try FormatTemplate(format, names: members.keys.sorted(), of: "inspect").show([document])
        }
    }

    private func document(named name: String, in store: Store) throws -> JSONValue {
        if type != .image {
            do {
                let containers = Containers(store)
                return try InspectCommand.document(of: try containers.container(named: name), in: containers)
            } catch let failure as Failure where failure.kind == .notFound && type == nil {
                // The name may be an image's.
            }
        }
        do {
            return try InspectCommand.document(of: try store.image(named: name))
        } catch let failure as Failure where failure.kind == .notFound && type == nil {
            throw Failure("no such container or image: \(name)", kind: .notFound)
        }
    }

    /// With docker's field names, as far as docker has them.
    static func document(of image: ImageRecord) throws -> JSONValue {
        let name = "image \(image.id): its config"
        let config = try JSONDocument.decode(JSONValue.self, from: image.config, name: name)
        let layers = image.layers.map { JSONValue.string("\($0)") }
        var members: [String: JSONValue] = [
            "Id": .string("\(image.id)"),
            "RepoTags": .array(image.names.map { .string($0) }),
            "RepoDigests": .array(repositoryDigests(of: image).map { .string($0) }),
            "Size": .integer(Int64(clamping: image.size)),
            "RootFS": .object(["Type": .string("layers"), "Layers": .array(layers)]),
            "ChainID": ChainID.all(of: image.layers).last.map { .string("\($0)") } ?? .null,
            "Digest": image.manifestDigest.map { .string("\($0)") } ?? .null,
            "Config": config["config"] ?? .null,
            "Variant": .string(""), "Author": .string(""),
        ]
        for (key, member) in [
            ("Architecture", "architecture"), ("Os", "os"), ("Variant", "variant"), ("Created", "created"),
            ("Author", "author"),
        ] {
            if let value = config[member] { members[key] = value }
        }
        return .object(members)
    }

    /// NAME@DIGEST for each repository that the image has a tag of.
    private static func repositoryDigests(of image: ImageRecord) -> [String] {
        guard let digest = image.manifestDigest else { return [] }
        let names = image.tags.compactMap { try? ImageReference($0).familiarName }
        return Set(names).sorted().map { "\($0)@\(digest)" }
    }
}
