package import Digests
import Linux
import SystemPackage

/// A layer that has been read and checked, but is not visible yet.
package struct StagedLayer: Sendable {
    package let diffID: Digest
    /// Bytes of the uncompressed tar.
    package let tarSize: UInt64
    /// How many bytes of file contents the tar holds: without holes, and counting duplicates.
    package let contentSize: UInt64
    /// How many entries the tar has.
    package let entries: Int

    let layout: StoreLayout
    let staging: FilePath
    /// The objects in `staging`/objects that the store did not have.
    let objects: Set<Digest>
    /// Those there that it had.
    let pinned: Set<Digest>
    /// Keeps `staging` from collections.
    let hold: StagingHold

    /// The index, which becomes the layer's once it is published.
    package func index() throws -> LayerIndex {
        try LayerIndex(staging.appending("layer").appending("index"), verifying: false)
    }

    /// Makes the layer durable, then visible. A layer that is there already is no error.
    ///
    /// Every file is on disk before it gets its name, and the objects get their names before the layer does: so a
    /// layer directory under its own name is complete, whenever the machine stopped. The caller holds the store's lock,
    /// shared, until the layer is recorded.
    package func publish() throws {
        let store = ObjectStore(layout)
        for digest in objects {
            guard try store.protect(staging.appending("objects").appending(digest.hex), as: digest) else {
                break
            }
        }
        try synchronize()
        for digest in objects {
            try store.adopt(staging.appending("objects").appending(digest.hex), as: digest)
        }
        // A collection has taken these meanwhile.
        let gone = pinned.filter { !layout.object($0).exists }
        for digest in gone {
            try store.adopt(staging.appending("objects").appending(digest.hex), as: digest)
        }
        if !objects.isEmpty || !gone.isEmpty {
            try naming("sync \(layout.objects)") { try layout.objects.synchronizeFilesystem() }
        }
        let layer = layout.layer(diffID)
        do {
            // The same tar makes the same layer, so a layer that is there already equals this one or is damaged: in
            // either case this one is whole, and replaces it.
            try staging.appending("layer").rename(to: layer, exchangingWith: staging.appending("old"))
        } catch {
            throw Failure("name the layer \(layer)", error)
        }
        try naming("sync \(layout.layers)") { try layout.layers.synchronize() }
        discard()
    }

    /// Syncs all that is staged.
    private func synchronize() throws {
        // Syncing file by file takes a flush of the disk for each; syncing the filesystem also writes what other
        // processes have dirty, such as the files that a commit has just read.
        guard objects.isEmpty else {
            return try naming("sync \(staging)") { try staging.synchronizeFilesystem() }
        }
        let layer = staging.appending("layer")
        for file in ["pack", "recipe", "index"].map({ layer.appending($0) }) + [layer] {
            try naming("sync \(file)") { try file.synchronize() }
        }
    }

    /// Removes the staged files. After `publish` there are none.
    package func discard() { try? staging.removeTree() }
}
