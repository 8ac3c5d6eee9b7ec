import ArgumentParser
import Digests
import Images
import Linux
import OCI
import Registry
import Snapshots

import Glibc

struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        _superCommandName: Mica.name,
        abstract: "Bring an image from a registry.",
        discussion: """
            NAME is what docker understands by it: debian:12 is docker.io/library/debian:12. Layers that the store has are \
            not asked for; the others go into the store while they arrive. What was interrupted goes on where it stopped, \
            the next time.

            Names and passwords come from docker's config.json and from containers' auth.json, as mica login, docker login, \
            podman login or skopeo login left them, and from the helpers named there ($DOCKER_CONFIG and \
            $REGISTRY_AUTH_FILE say where). A registry of this machine may have no TLS. Mirrors, blocked registries and \
            those without TLS are those of mica-registries.conf(5) and of containers' registries.conf; a short name that one \
            of them gives to another registry than docker.io is refused.
            """
    )

    @OptionGroup var global: GlobalOptions

    @OptionGroup var limits: LayerLimitOptions

    @Argument(help: "The image.") var name: String

    @Flag(name: .shortAndLong, help: "All tags that the registry has of the name.") var allTags = false

    @Flag(name: .shortAndLong, help: "Print the image's ID only.") var quiet = false

    @Option(
        help: ArgumentHelp(
            "Of an image for several platforms, the one for this: OS/ARCHITECTURE[/VARIANT].",
            valueName: "platform"
        )
    )
    var platform: String?

    @Option(
        help: ArgumentHelp("Whether certificates are verified, and TLS is needed.", valueName: "true|false")
    )
    var tlsVerify = "true"

    func run() throws {
        Interruption.cleansUp()
        let verifies = try TLSVerify.value(tlsVerify)
        let platform = try platform.map { try Platform(parsing: $0) }
        let reference = try ImageReference(name)
        let store = try global.store()
        guard allTags else { return try pull(reference, platform, verifies, to: store) }
        guard reference.digest == nil, !name.hasSuffix(":\(reference.tag ?? "")") else {
            throw Failure("--all-tags wants a name without a tag", exitCode: 64)
        }
        let remote = try RemoteRepository(name, verifiesTLS: verifies)
        let tags = try remote.tags()
        remote.close()
        // Signatures and attestations have tags as well, made of the image's digest.
        var hasFailed = false
        for tag in tags where !PullCommand.isAttachment(tag) {
            do {
                try pull(try ImageReference("\(reference.name):\(tag)"), platform, verifies, to: store)
            } catch let failure as Failure {
                // One failure does not stop the rest.
                Mica.complain(failure)
                hasFailed = true
            }
        }
        if hasFailed { throw ExitCode(1) }
    }

    private func pull(
        _ reference: ImageReference,
        _ platform: Platform?,
        _ verifies: Bool,
        to store: Store
    ) throws {
        let progress = LayerProgress(quiet: quiet)
        defer { progress.close() }
        let pulled = try ImagePull(store: store, limits: try limits.limits()).pull(
            reference,
            for: platform,
            verifiesTLS: verifies,
            isShort: ImageReference.isShort(name),
            report: { progress.show($0) }
        )
        progress.close()
        if quiet { return print(pulled.image.id) }
        // The whole reference, because a short name does not show the registry.
        print("\(pulled.isNew ? "Pulled" : "Already there"): \(reference)")
    }

    private static func isAttachment(_ tag: String) -> Bool {
        let parts = tag.split(separator: ".", maxSplits: 1)
        guard let first = parts.first, first.hasPrefix("sha256-") else { return false }
        return Digest(hex: first.dropFirst("sha256-".count)) != nil
    }
}
