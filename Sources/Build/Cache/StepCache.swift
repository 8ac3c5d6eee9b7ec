import Containers
import Digests
import Layers
import Linux
import OCI
import Registry
import Snapshots
import Synchronization
import SystemPackage

/// Steps that other builds did, in a place that the user has named.
///
/// All that is read is checked by its digest, so what comes is what the cache's manifest names; but which layer belongs to
/// a step can't be checked without doing it. So the cache is believed for builds that name it, and for no others: what
/// comes of it is kept under keys that have its name in them (docs/adr/0049-what-a-build-takes-from-others.md).
final class StepCache: Sendable {
    private let place: CachePlace
    private let client: RegistryClient?
    private let files: any ImageFiles
    private let steps: [Digest: CacheDocument.Step]
    private let layers: [(diffID: Digest, blob: Descriptor)]
    /// Held while a layer comes: the second stage that wants it finds it.
    private let turn = Lock()
    private let isBroken = Atomic(false)

    private static let manifestLimit = 4 << 20
    private static let documentLimit = 16 << 20

    init(_ place: CachePlace, _ store: Store) throws {
        self.place = place
        switch place {
        case .directory(let path):
            client = nil
            files = try LayoutDirectory(path)
        case .registry(let reference):
            let opening = RegistryMessage.Opening(reference)
            let arrivals = store.layout.arrivals
            try naming("create \(arrivals)") { try arrivals.makeDirectories(mode: 0o700) }
            let client = try RegistryClient(opening)
            self.client = client
            do {
                files = try RegistryFiles(
                    client,
                    reference,
                    directory: arrivals,
                    lock: store.layout.lock
                )
            } catch {
                client.close()
                throw error
            }
        }
        do { (steps, layers) = try StepCache.read(files, place) } catch {
            client?.close()
            throw error
        }
    }

    func close() { client?.close() }

    // MARK: - Documents

    private static func read(_ files: any ImageFiles, _ place: CachePlace) throws -> (
        [Digest: CacheDocument.Step], [(diffID: Digest, blob: Descriptor)]
    ) {
        guard let file = try files.file("index.json") else { throw Failure("\(place) has no index.json") }
        let bytes = try file.contents(limit: manifestLimit, name: "index.json of \(place)")
        let index = try JSONDocument.decode(Index.self, from: bytes, name: "index.json of \(place)")
        guard let entry = index.manifests.first(where: { !MediaType.isIndex($0.mediaType) }) else {
            throw Failure("\(place) has no manifest")
        }
        let manifest = try JSONDocument.decode(
            Manifest.self,
            from: blob(entry.digest, of: files, limit: manifestLimit, place),
            name: "the manifest of \(place)"
        )
        guard manifest.config.mediaType == CacheDocument.mediaType else {
            throw Failure("\(place) is no cache that mica build has written")
        }
        let document = try JSONDocument.decode(
            CacheDocument.self,
            from: blob(manifest.config.digest, of: files, limit: documentLimit, place),
            name: "the cache \(place)"
        )
        guard document.diffIDs.count == manifest.layers.count,
            document.steps.allSatisfy({ document.diffIDs.indices.contains($0.layer) })
        else { throw Failure("the cache \(place) does not agree with its own manifest") }
        let layers = zip(document.diffIDs, manifest.layers).map { (diffID: $0, blob: $1) }
        return (Dictionary(document.steps.map { ($0.key, $0) }) { first, _ in first }, layers)
    }

    private static func blob(
        _ digest: Digest,
        of files: any ImageFiles,
        limit: Int,
        _ place: CachePlace
    ) throws -> [UInt8] {
        guard let file = try files.file("blobs/sha256/\(digest.hex)") else {
            throw Failure("\(place) does not have \(digest)")
        }
        let bytes = try file.contents(limit: limit, name: "\(digest) of \(place)")
        guard SHA256.digest(of: bytes) == digest else {
            throw Failure("\(place) has something else as \(digest)")
        }
        return bytes
    }

    // MARK: - Steps

    /// What a step made, if the cache has it. A cache that can't be read is a warning, and the step is done then.
    func step(_ key: Digest, over below: [Digest], _ text: String, of build: Build) throws -> (
        layer: Digest, created: Int64
    )? {
        guard let step = steps[key] else { return nil }
        var mark = StepKey("CACHE OF", over: nil)
        mark.add("place", ["\(place)"])
        mark.add("key", ["\(key)"])
        let own = mark.finish()
        turn.lock()
        defer { turn.unlock() }
        if let known = try build.store.step(own, over: below) { return known }
        guard !isBroken.load(ordering: .relaxed) else { return nil }
        do {
            let layer = try build.cancellation.covering({ [client] in client?.stop() }) {
                try bring(step, over: below, to: build.store, as: own, text)
            }
            return (layer, step.created)
        } catch {
            try build.cancellation.check()
            let failure = error as? Failure
            // Doing the step would not go better.
            if failure?.kind == .noSpace { throw error }
            isBroken.store(true, ordering: .relaxed)
            build.report(
                .warning("the cache \(place) is not used any more: \(failure?.message ?? "\(error)")")
            )
            return nil
        }
    }

    private func bring(
        _ step: CacheDocument.Step,
        over below: [Digest],
        to store: Store,
        as key: Digest,
        _ text: String
    ) throws -> Digest {
        let (diffID, blob) = layers[step.layer]
        func known() throws -> NewLayer? {
            store.layout.layer(diffID).exists ? try store.layer(diffID) : nil
        }
        // A registry may be slow: it keeps the store's lock from no collection.
        var staged: StagedLayer?
        if try known() == nil { staged = try read(blob, diffID, standsAlone: below.isEmpty, store) }
        let lock = try store.lockForChange()
        let new: NewLayer
        if let staged {
            new = try publish(staged, of: blob)
        } else if let there = try known() {
            new = there
        } else {
            throw Failure("the layer \(diffID) was removed meanwhile")
        }
        // Whether it goes together with those below shows here, and not in a later build.
        _ = try LayerFileTree(below + [diffID], store.layout)
        try store.record(step: key, text, of: new, over: below, created: step.created)
        _ = consume lock
        return diffID
    }

    private func read(_ blob: Descriptor, _ diffID: Digest, standsAlone: Bool, _ store: Store) throws
        -> StagedLayer
    {
        guard let file = try files.file("blobs/sha256/\(blob.digest.hex)") else {
            throw Failure("it does not have \(blob.digest)")
        }
        do {
            return try LayerImport(layout: store.layout).stage(
                file.source(),
                named: "a layer of \(place)",
                expecting: Expectation(diffID: diffID, blobDigest: blob.digest, blobSize: blob.size),
                standsAlone: standsAlone
            )
        } catch {
            _ = (files as? RegistryFiles)?.discard(blob.digest)
            throw error
        }
    }

    private func publish(_ staged: StagedLayer, of blob: Descriptor) throws -> NewLayer {
        do { try staged.publish() } catch {
            staged.discard()
            throw error
        }
        (files as? RegistryFiles)?.finish(blob.digest, as: nil)
        return NewLayer(
            diffID: staged.diffID,
            tarSize: staged.tarSize,
            contentSize: staged.contentSize,
            blobs: [LayerBlob(blob, isVerified: true)]
        )
    }
}
