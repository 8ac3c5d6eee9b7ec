package import OCI
package import Snapshots

package import Layers
import Linux
import SystemPackage
import Synchronization

import Glibc

/// Brings the images of an archive or a layout into the store.
package struct ImageLoad: Sendable {
    /// What happens to a layer, to be shown as progress. Layers are named by their diffIDs.
    package enum Event: Sendable {
        /// Nothing is to be done.
        case alreadyThere(Digest)
        /// It was there, and damaged: it is read again.
        case damaged(Digest)
        /// Bytes of the blob; `total` is nil where only reading it tells how many there are.
        case reading(Digest, done: UInt64, total: UInt64?)
        /// Bytes of the files in the layer.
        case read(Digest, contentSize: UInt64)
        /// An entry of the archive that is not an image, and is not loaded.
        case skipped(SkippedEntry)
    }

    package struct Loaded: Sendable {
        package let image: ImageRecord
        /// Its names in the archive, or the one that the caller gave; in their short form.
        package let names: [String]
        /// false: it was there already, with these names.
        package let isNew: Bool
    }

    /// Layers that are read at a time. Each uses a core for inflating and another one for the rest.
    private static let width = 2

    private let store: Store
    private let limits: ImportLimits?

    /// `limits`: of each layer; nil: those of the environment.
    package init(store: Store, limits: ImportLimits? = nil) { (self.store, self.limits) = (store, limits) }

    /// Loads every image that runs here. All of them become visible together, once everything has been
    /// verified and is on disk; after an error nothing does. `name`: instead of the name that the archive
    /// gives, which must then hold one image only.
    package func load(
        _ input: ImageInput,
        as name: ImageReference? = nil,
        report: @escaping @Sendable (Event) -> Void
    ) throws -> [Loaded] {
        let archive = try input.archive(in: store.layout)
        var images = try archive.images { report(.skipped($0)) }
        if let name {
            guard images.count == 1 else {
                throw Failure(
                    "\(input.name) holds \(images.count) images: \(name.familiar) can name only one"
                )
            }
            images[0].names = [name.familiar]
        }
        let loaded = try load(images, of: archive, report: report)
        for image in loaded { store.tell("load", of: image.image.id, named: image.names.first) }
        return loaded
    }

    /// How the reading of a layer's blob ended.
    enum BlobEnd {
        /// It is what it should be.
        case whole
        /// It can't be read, or is something else.
        case bad
        /// Another layer failed first.
        case interrupted
    }

    /// The same of images that `archive` holds. `ended`: a blob that was wanted was read, or as much of it as will be.
    ///
    /// The store is locked only where something is published and recorded: what `archive` reads may be slow to come.
    /// `repository`: from which blobs are pulled. GoneLayer where another process has taken meanwhile what `lease` held.
    ///
    /// `lease`: under this one, each layer is published and recorded as soon as it is whole (before `ended` says so), so
    /// that it is there for the next time after an error or a kill. The lease goes when the images are recorded.
    func load(
        _ images: [ArchivedImage],
        of archive: ImageArchive,
        leasing lease: String? = nil,
        from repository: String? = nil,
        ended: @escaping @Sendable (Digest, BlobEnd) -> Void = { _, _ in },
        report: @escaping @Sendable (Event) -> Void
    ) throws -> [Loaded] {
        let (known, hold) = try holdKnown(of: images)
        defer { hold?.end() }
        let wanted = try missingLayers(of: images, known: known, report: report)
        let staged = try releasing(lease) {
            try stage(wanted, of: archive, lease, repository, ended: ended, report: report)
        }
        do {
            for image in images { try check(image, lease == nil ? staged : [:]) }
            let lock = try store.lockForChange()
            defer { withExtendedLifetime(lock) {} }
            if lease == nil { for layer in staged.values { try layer.publish() } }
            return try record(images, staged, releasing: lease, from: repository)
        } catch {
            for layer in staged.values { layer.discard() }
            throw error
        }
    }

    /// The layers that the store has already, and what keeps them there until the images are recorded.
    private func holdKnown(of images: [ArchivedImage]) throws -> ([Digest], LayerLease?) {
        let lock = try store.lockForChange()
        defer { withExtendedLifetime(lock) {} }
        let known = try Set(images.flatMap { $0.layers.map(\.diffID) }).sorted().compactMap {
            store.layout.layer($0).exists ? try store.layer($0) : nil
        }
        let hold = known.isEmpty ? nil : try LayerLease(store, for: "load", layers: known)
        return (known.map(\.diffID), hold)
    }

    /// A layer, and what errors call it.
    private struct Wanted: Sendable {
        let layer: ArchivedLayer
        let name: String
        /// The lowest of some image.
        let standsAlone: Bool
    }

    private func missingLayers(
        of images: [ArchivedImage],
        known: [Digest],
        report: (Event) -> Void
    ) throws -> [Wanted] {
        let lowest = Set(images.compactMap { $0.layers.first?.diffID })
        var seen: Set<Digest> = []
        var wanted: [Wanted] = []
        let state = try layerStates(of: known)
        for image in images {
            for (position, layer) in image.layers.enumerated() where seen.insert(layer.diffID).inserted {
                if state[layer.diffID] == .whole {
                    report(.alreadyThere(layer.diffID))
                    continue
                }
                if state[layer.diffID] == .damaged { report(.damaged(layer.diffID)) }
                let name = "image \(image.label), layer \(position + 1) of \(image.layers.count)"
                wanted.append(
                    Wanted(layer: layer, name: name, standsAlone: lowest.contains(layer.diffID))
                )
            }
        }
        return wanted
    }

    private enum LayerState { case whole, damaged }

    /// Of the layers that are in the store: whether they are what was loaded once. What is not, or has lost its
    /// directory, is mended by loading it again.
    private func layerStates(of known: [Digest]) throws -> [Digest: LayerState] {
        let found = Mutex<[Digest: LayerState]>([:])
        let check = LayerCheck(layout: store.layout)
        try inParallel(known.count, width: ImageLoad.width) { number in
            let state: LayerState = check.isWhole(known[number]) ? .whole : .damaged
            found.withLock { $0[known[number]] = state }
        }
        return found.withLock { $0 }
    }

    private func stage(
        _ wanted: [Wanted],
        of archive: ImageArchive,
        _ lease: String?,
        _ repository: String?,
        ended: @escaping @Sendable (Digest, BlobEnd) -> Void,
        report: @escaping @Sendable (Event) -> Void
    ) throws -> [Digest: StagedLayer] {
        let staged = Staged()
        let layers = LayerImport(layout: store.layout, limits: limits)
        // Everything that can be said without reading gigabytes is said first.
        let blobs = try wanted.map { try archive.open($0.layer, name: $0.name) }
        @Sendable func end(_ layer: ArchivedLayer, _ end: BlobEnd) {
            if let blob = layer.blobDigest { ended(blob, end) }
        }
        do {
            try inParallel(wanted.count, width: ImageLoad.width) { number in
                let (layer, name) = (wanted[number].layer, wanted[number].name)
                let size = blobs[number].size
                let source = WatchedSource(blobs[number].source()) { done in
                    guard !staged.isStopped else { throw Stopped() }
                    report(.reading(layer.diffID, done: done, total: size))
                }
                do {
                    let result = try layers.stage(
                        source,
                        named: name,
                        expecting: Expectation(
                            diffID: layer.diffID,
                            blobDigest: layer.blobDigest,
                            blobSize: layer.blobSize
                        ),
                        standsAlone: wanted[number].standsAlone,
                        progress: nil
                    )
                    if let lease { try keep(result, of: layer, lease, from: repository) }
                    staged.add(result)
                    end(layer, .whole)
                    report(.read(layer.diffID, contentSize: result.contentSize))
                } catch {
                    // Where another one failed first, that is what there is to say.
                    let isFirst = staged.stop()
                    end(layer, isFirst ? .bad : .interrupted)
                    throw isFirst ? error : Stopped()
                }
            }
        } catch {
            for layer in staged.all.values { layer.discard() }
            throw error
        }
        return staged.all
    }

    /// Nanoseconds for which layers wait for a next time: a day.
    private static let wait: Int64 = 24 * 3600 * 1_000_000_000

    /// Where the disk is full, what has arrived waits for no next time, which it may be what keeps from succeeding: `gc`
    /// takes it at once.
    private func releasing<R>(_ lease: String?, _ body: () throws -> R) throws -> R {
        do { return try body() } catch {
            let isFull = (error as? Failure)?.kind == .noSpace || (error as? Errno)?.isOutOfSpace == true
            if isFull, let lease { try? store.removeLease(lease) }
            throw error
        }
    }

    /// Puts a layer in its place before an image has it.
    private func keep(
        _ layer: StagedLayer,
        of archived: ArchivedLayer,
        _ lease: String,
        from repository: String?
    ) throws {
        let lock = try store.lockForChange()
        defer { withExtendedLifetime(lock) {} }
        do { try layer.publish() } catch {
            layer.discard()
            throw error
        }
        let new = NewLayer(
            diffID: layer.diffID,
            tarSize: layer.tarSize,
            contentSize: layer.contentSize,
            blobs: [archived.descriptor].compactMap(\.self)
                .map { LayerBlob($0, from: repository, isVerified: true) }
        )
        try store.lease(lease, expires: KernelClock.now(CLOCK_REALTIME) + ImageLoad.wait, layers: [new])
    }

    /// Whether the hard links that a layer has to files of those below are to something there.
    private func check(_ image: ArchivedImage, _ staged: [Digest: StagedLayer]) throws {
        let stack = try image.layers.map { layer in
            try staged[layer.diffID]?.index()
                ?? LayerIndex(store.layout.layer(layer.diffID).appending("index"), verifying: false)
        }
        guard try stack.contains(where: { try $0.inode(0).defersLinks }) else { return }
        do { _ = try ChainFold.fold(stack) } catch let failure as Failure {
            throw Failure("image \(image.label): \(failure.message)", advice: failure.advice)
        }
    }

    private func record(
        _ images: [ArchivedImage],
        _ staged: [Digest: StagedLayer],
        releasing lease: String?,
        from repository: String?
    ) throws -> [Loaded] {
        let before = try images.map { try store.image($0.id) }
        let records = try store.add(
            images: try images.map { image in
                NewImage(
                    config: image.config,
                    layers: try image.layers.map { try newLayer($0, staged, from: repository) },
                    tags: image.names,
                    manifestDigest: image.manifestDigest,
                    documents: image.documents.map { ImageDocument(mediaType: $0.mediaType, bytes: $0.bytes) }
                )
            },
            releasing: lease
        )
        return try zip(images, zip(before, records)).map { image, records in
            let names = try image.names.map { try ImageReference($0).description }
            let known = records.0.map { Set($0.tags).isSuperset(of: names) } ?? false
            return Loaded(image: records.1, names: image.names, isNew: !known)
        }
    }

    private func newLayer(
        _ layer: ArchivedLayer,
        _ staged: [Digest: StagedLayer],
        from repository: String?
    ) throws -> NewLayer {
        var new: NewLayer
        if let read = staged[layer.diffID] {
            // Published, but by now another process may have ended the lease.
            guard store.layout.layer(layer.diffID).exists else { throw GoneLayer(diffID: layer.diffID) }
            new = NewLayer(diffID: layer.diffID, tarSize: read.tarSize, contentSize: read.contentSize)
        } else if let known = try store.layer(layer.diffID) {
            new = known
        } else {
            throw GoneLayer(diffID: layer.diffID)
        }
        let isVerified = staged[layer.diffID] != nil
        new.blobs = [layer.descriptor].compactMap(\.self)
            .map { LayerBlob($0, from: repository, isVerified: isVerified) }
        return new
    }
}

/// A layer was collected while its image was still being read: the image was removed, or this process was stopped for long.
struct GoneLayer: Error, CustomStringConvertible {
    let diffID: Digest
    var description: String { "layer \(diffID) has gone from the store meanwhile" }
}

/// What the threads have staged, and whether they should go on.
private final class Staged: Sendable {
    private let layers = Mutex<[Digest: StagedLayer]>([:])
    private let stopped = Atomic(false)

    func add(_ layer: StagedLayer) { layers.withLock { $0[layer.diffID] = layer } }
    var all: [Digest: StagedLayer] { layers.withLock { $0 } }
    /// Whether this is the first time.
    func stop() -> Bool { !stopped.exchange(true, ordering: .relaxed) }
    var isStopped: Bool { stopped.load(ordering: .relaxed) }
}
