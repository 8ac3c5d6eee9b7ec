package import Digests
import Linux
import SystemPackage

/// A layer that has been read and checked, but that nobody can see yet.
package struct StagedLayer: Sendable {
    package let diffID: Digest
    /// Bytes of the uncompressed tar.
    package let tarSize: UInt64
    /// Bytes of the files' contents that the tar holds: without holes, twice what is in it twice.
    package let contentSize: UInt64
    /// Entries of the tar.
    package let entries: Int

    let layout: StoreLayout
    let staging: FilePath
    /// Those of `staging`/objects.
    let objects: Set<Digest>

    /// What will be the layer's index once it is published.
    package func index() throws -> LayerIndex {
        try LayerIndex(staging.appending("layer").appending("index"), verifying: false)
    }

    /// Makes the layer durable, then visible; fine if it is there already.
    ///
    /// Every file is on disk before it gets its name, and the objects have their names before the layer does:
    /// so a layer directory under its own name is whole, whenever the machine stopped.
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
        if !objects.isEmpty {
            try naming("sync \(layout.objects)") { try layout.objects.synchronizeFilesystem() }
        }
        let layer = layout.layer(diffID)
        do {
            // The same tar makes the same layer, so what is there already is this one, or a damaged one: in either case
            // this one is whole, and takes its place.
            try staging.appending("layer").rename(to: layer, exchangingWith: staging.appending("old"))
        } catch {
            throw Failure("name the layer \(layer)", error)
        }
        try naming("sync \(layout.layers)") { try layout.layers.synchronize() }
        discard()
    }

    /// All that is staged is on disk when this returns.
    private func synchronize() throws {
        // A file at a time costs a flush of the disk for each; all of the filesystem at once, what others have
        // written meanwhile, too: the files that a commit has just read, for one.
        guard objects.isEmpty else {
            return try naming("sync \(staging)") { try staging.synchronizeFilesystem() }
        }
        let layer = staging.appending("layer")
        for file in ["pack", "recipe", "index"].map({ layer.appending($0) }) + [layer] {
            try naming("sync \(file)") { try file.synchronize() }
        }
    }

    /// Removes what is staged. After `publish` there is nothing left to do.
    package func discard() { try? staging.removeTree() }
}
