import ArgumentParser
import Digests
import Images
import Layers
import Linux
import OCI
import Snapshots

struct PushCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        _superCommandName: Mica.name,
        abstract: "Send an image to a registry.",
        discussion: """
            NAME is an image of the store, and where it goes, unless a second name says that. What the registry has is not \
            sent; the manifest is sent last.

            An image that was pulled goes as it came: its manifest, and the index around it as far as all that this lists is \
            here or there, with the same digests. Layers that were made here are compressed once, and have the same digest \
            each time. Of what was loaded from an archive, the layers may have other digests there than they came with.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: .shortAndLong, help: "All tags that the store has of the name.") var allTags = false

    @Flag(name: .shortAndLong, help: "Print the digest only.") var quiet = false

    @Option(
        help: ArgumentHelp("Compress layers anew: gzip or zstd.", valueName: "format")
    )
    var compress: LayerCompression.Format?

    @Option(
        help: ArgumentHelp("Whether certificates are verified, and TLS is needed.", valueName: "true|false")
    )
    var tlsVerify = "true"

    @Argument(help: "The image.", completion: .images) var name: String

    @Argument(help: "What it is to be called there.") var destination: String?

    func run() throws {
        Interruption.cleansUp()
        let store = try global.store()
        let push = ImagePush(
            store: store,
            compressing: compress,
            verifiesTLS: try TLSVerify.value(tlsVerify)
        )
        for (source, target) in try pairs(store) {
            let progress = PushProgress(quiet: quiet)
            defer { progress.close() }
            let pushed = try push.push(source, to: target) { progress.show($0) }
            progress.close()
            if let image = try? store.image(named: source) {
                store.tell("push", of: image.id, named: target.familiar)
            }
            if quiet {
                print("\(target.name)@\(pushed.digest)")
            } else {
                print("\(target.tag ?? ""): digest: \(pushed.digest) size: \(pushed.size)")
            }
        }
    }

    /// The local names to push, with their targets.
    private func pairs(_ store: Store) throws -> [(String, ImageReference)] {
        let target = try ImageReference(destination ?? name)
        guard allTags else { return [(name, target)] }
        let source = try ImageReference(name)
        guard destination == nil, !name.hasSuffix(":\(source.tag ?? "")"), source.digest == nil else {
            throw Failure("--all-tags wants a name without a tag, and no second one", exitCode: 64)
        }
        let tags = try store.images().flatMap(\.tags).compactMap { try? ImageReference($0) }
            .filter { $0.name == source.name }
        guard !tags.isEmpty else { throw Failure("no such image: \(name)", kind: .notFound) }
        return tags.sorted { $0.familiar < $1.familiar }.map { ($0.description, $0) }
    }
}

extension LayerCompression.Format: ExpressibleByArgument {}
