package import Linux
import SystemPackage
import Tar

import Digests
import Glibc

/// Turns a layer's tar into an index, a pack, objects and a recipe.
///
/// The tar is untrusted: nothing is ever written to a path that it names, every number is checked, and memory is
/// bounded by `ImportLimits`. Safe for any number of threads at once.
package struct LayerImport: Sendable {
    /// Bytes of an entry's name, including a directory's slash.
    package static let longestPath = EntryPath.limit

    private let layout: StoreLayout
    /// nil: those of the environment.
    private let limits: ImportLimits?

    package init(layout: StoreLayout, limits: ImportLimits? = nil) {
        self.layout = layout
        self.limits = limits
    }

    /// Reads one layer to its end, checks it against `expecting` and stages it in tmp/; nothing is visible before
    /// `publish`. Compression is detected by the first bytes.
    ///
    /// `standsAlone`: there are no layers below. Otherwise the layer may have hard links to their files; whether
    /// those exist is known once the layer is folded with them (`StagedLayer.defersLinks`).
    ///
    /// The store's lock need not be held: `source` may be a network that is slow. `named` is the subject of messages
    /// ("image X, layer 2"); `progress` gets the number of bytes read from `source` so far, on another thread.
    package func stage(
        _ source: consuming some ByteSource,
        named: String,
        expecting: Expectation = Expectation(),
        standsAlone: Bool = true,
        progress: (@Sendable (UInt64) -> Void)? = nil
    ) throws -> StagedLayer {
        let (staging, hold) = try layout.heldStaging("layer")
        var isWhole = false
        defer { if !isWhole { try? staging.removeTree() } }
        let layer = staging.appending("layer")
        let objects = staging.appending("objects")
        for directory in [layer, objects] {
            try naming("create \(directory)") { try directory.makeDirectory(mode: 0o700) }
        }

        let input = try ReadAhead(
            source,
            named: named,
            hashingBlob: expecting.blobDigest != nil,
            blobLimit: expecting.blobSize,
            progress: progress
        )
        let recipe = try RecipeWriter(create(layer.appending("recipe")))
        let pack = PackWriter(try create(layer.appending("pack"), O_RDWR))
        var tar = TarReader(input, named: named) { try recipe.literal($0) }
        var contents = ContentStaging(
            objects: objects,
            store: ObjectStore(layout),
            pack: pack,
            recipe: recipe
        )
        let tree = try read(&tar, into: &contents, standsAlone)
        let entries = tree.entryCount

        let (diffID, blob, blobSize) = input.finish()
        try check(blobSize, blob, diffID, hasEndMarker: tar.hasEndMarker, expecting, named)
        try pack.finish()
        try naming("write a layer's recipe") { try recipe.finish(diffID: diffID, tarSize: tar.offset) }
        try naming("write a layer's index") {
            let index = try create(layer.appending("index"))
            try tree.finish().write(to: index, layer: diffID)
        }
        isWhole = true
        return StagedLayer(
            diffID: diffID,
            tarSize: tar.offset,
            contentSize: contents.contentSize,
            entries: entries,
            layout: layout,
            staging: staging,
            objects: contents.staged,
            pinned: contents.pinned,
            hold: hold
        )
    }

    private func read(
        _ tar: inout TarReader,
        into contents: inout ContentStaging,
        _ standsAlone: Bool
    ) throws -> LayerTree {
        let limits = try limits ?? .ofEnvironment()
        do {
            var tree = try LayerTree(limits: limits, standsAlone: standsAlone)
            while let entry = try tar.next() {
                guard entry.size <= limits.fileSize else {
                    throw LayerError(
                        "its size of \(entry.size) bytes is beyond the limit of \(limits.fileSize)"
                    )
                }
                try tree.add(entry, try contents.store(entry, from: &tar))
            }
            return tree
        } catch let error as LayerError {
            var failure = tar.failure(error.reason)
            failure.advice = error.advice
            throw failure
        }
    }

    private func check(
        _ blobSize: UInt64,
        _ blob: Digest,
        _ diffID: Digest,
        hasEndMarker: Bool,
        _ expecting: Expectation,
        _ named: String
    ) throws {
        if let expected = expecting.blobSize, expected != blobSize {
            throw Failure("\(named): the blob has \(blobSize) bytes, it should have \(expected)")
        }
        if let expected = expecting.blobDigest, expected != blob {
            throw Failure("\(named): the blob is \(blob), it should be \(expected)")
        }
        if let expected = expecting.diffID, expected != diffID {
            throw Failure("\(named): the layer's diffID is \(diffID), the image's config says \(expected)")
        }
        // Some writers leave out the end marker. Only a digest can tell whether this is one of them.
        guard hasEndMarker || expecting.diffID != nil || expecting.blobDigest != nil else {
            throw Failure("\(named): the tar ends without its end marker; it may have been cut short")
        }
    }

    private func create(_ path: FilePath, _ access: CInt = O_WRONLY) throws -> OwnedFD {
        try naming("create \(path)") { try OwnedFD.open(path, access | O_CREAT | O_EXCL, mode: 0o400) }
    }
}
