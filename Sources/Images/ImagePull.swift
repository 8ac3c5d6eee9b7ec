package import OCI
package import Snapshots

import Glibc
package import Layers
import Linux
import Registry
import Synchronization
import SystemPackage

/// Brings an image of a registry into the store.
package struct ImagePull: Sendable {
    private let store: Store
    private let limits: ImportLimits?

    /// `limits`: of each layer; nil: those of the environment.
    package init(store: Store, limits: ImportLimits? = nil) { (self.store, self.limits) = (store, limits) }

    /// `platform`: whose image is wanted; nil: this machine's, or the only one there is. The image becomes visible once
    /// everything has been verified and is on disk; after an error nothing does, but what has arrived of its layers is
    /// kept for the next time. `isShort`: the user's name has no registry; the pull is refused where registries.conf gives
    /// that name to another registry than docker.io.
    package func pull(
        _ reference: ImageReference,
        for platform: Platform? = nil,
        verifiesTLS: Bool = true,
        isShort: Bool = false,
        report: @escaping @Sendable (ImageLoad.Event) -> Void
    ) throws -> ImageLoad.Loaded {
        let old = Found()
        let pulled: ImageLoad.Loaded
        do {
            pulled = try pull(reference, platform, verifiesTLS, isShort, old, report)
        } catch is GoneLayer {
            // Another pull of it was quicker, and what it brought was removed again.
            pulled = try pull(reference, platform, verifiesTLS, isShort, Found(), report)
        } catch {
            // What an earlier pull left was no good: it is gone now.
            guard old.isFound.load(ordering: .relaxed) else { throw error }
            pulled = try pull(reference, platform, verifiesTLS, isShort, Found(), report)
        }
        store.tell("pull", of: pulled.image.id, named: reference.familiar)
        return pulled
    }

    /// Whether something bad had begun with what an earlier pull left.
    private final class Found: Sendable { let isFound = Atomic(false) }

    private func pull(
        _ reference: ImageReference,
        _ platform: Platform?,
        _ verifiesTLS: Bool,
        _ isShort: Bool,
        _ old: Found,
        _ report: @escaping @Sendable (ImageLoad.Event) -> Void
    ) throws -> ImageLoad.Loaded {
        var opening = RegistryMessage.Opening(reference, verifiesTLS: verifiesTLS)
        opening.isShort = isShort
        let client = try RegistryClient(opening)
        defer { client.close() }
        let arrivals = store.layout.arrivals
        try naming("create \(arrivals)") { try arrivals.makeDirectories(mode: 0o700) }
        let kept = try KeptBlobs(store.layout)
        let files = try RegistryFiles(client, reference, directory: arrivals, lock: store.layout.lock)
        let archive = ImageArchive(files, stem: nil)
        var images = try archive.images(for: platform ?? .host) { report(.skipped($0)) }
        guard images.count == 1 else { throw Failure("\(reference.familiar) is \(images.count) images") }
        images[0].names = [reference.familiar]
        if let platform { try check(images[0], runsOn: platform) }
        try refuseForeignLayers(of: images[0], client)
        // A plain tar is what its layer gives back anyway.
        let plain = Set(images[0].layers.map(\.diffID))
        let loaded = try ImageLoad(store: store, limits: limits).load(
            images,
            of: archive,
            leasing: "pull \(images[0].manifestDigest ?? images[0].id)",
            from: reference.name,
            ended: { blob, end in
                switch end {
                // The layer is leased: what fails meanwhile need not be fetched again.
                case .whole: files.finish(blob, as: plain.contains(blob) ? nil : kept.path(of: blob))
                case .bad:
                    if files.discard(blob) { old.isFound.store(true, ordering: .relaxed) }
                    // The other downloads are of no use now.
                    client.stop()
                case .interrupted: break
                }
            },
            report: report
        )
        for blob in images[0].layers.compactMap(\.descriptor) {
            let path = plain.contains(blob.digest) ? nil : kept.path(of: blob.digest)
            if files.settle(blob.digest, size: blob.size, as: path) { _ = try? kept.isWhole(blob.digest) }
        }
        return loaded[0]
    }

    /// A manifest can name a layer that its registry does not have, with URLs of other servers; mica follows none.
    private func refuseForeignLayers(of image: ArchivedImage, _ client: RegistryClient) throws {
        for (position, layer) in image.layers.enumerated() {
            guard let blob = layer.descriptor, MediaType.isForeign(blob.mediaType),
                try store.layer(layer.diffID) == nil, try !client.holds(blob.digest, size: blob.size)
            else { continue }
            throw Failure(
                "image \(image.label), layer \(position + 1) of \(image.layers.count): the registry does not have it, "
                    + "because it is of type \(blob.mediaType)",
                advice: "Its maker gives it out in another way. mica load reads an archive that has it."
            )
        }
    }

    /// An image that is for one platform only is what its config says.
    private func check(_ image: ArchivedImage, runsOn platform: Platform) throws {
        let config = try ImageConfig(json: image.config, name: "the config of \(image.label)")
        guard let architecture = config.architecture else { return }
        let own = Platform(architecture: architecture, os: config.os ?? "linux", variant: config.variant)
        guard own.rank(on: platform) == nil else { return }
        throw Failure("\(image.label) is for \(own), not for \(platform)")
    }
}
