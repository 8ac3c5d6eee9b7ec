package import Linux
package import OCI

import Changes
import Layers
import SystemPackage

extension Store {
    /// Makes a layer the content of an active snapshot, as if its blob had been unpacked into it: the snapshot shows the
    /// layer over its parent from now on, and is committed as that layer, without a walk of its upper. Returns the layer.
    ///
    /// `blob`: the layer's descriptor; digest and size are checked, compression is told by the first bytes. A blob that
    /// was read once, and whose layer is still there, is not read again: then `open` is not called. It is called at most
    /// once, and what it gives is read by one thread at a time, to the end.
    ///
    /// notFound; failedPrecondition where the snapshot is not active, is mounted or in a container, has another layer
    /// already, or was written to. What the blob turns out to be is no `kind` of its own: `other`.
    /// A call that fails, or is killed, leaves the snapshot as it was, but for attributes of its root that a kill may leave
    /// changed: the same call again is fine.
    @discardableResult
    package func apply(
        _ blob: Descriptor,
        to key: String,
        in space: KeySpace = .own,
        reading open: () throws -> some ByteSource
    ) throws -> NewLayer {
        let lock = try lockForChange()
        let found = try read { try $0.applicable(key, in: space, isLive: self.isLive) }
        // It can't be mounted meanwhile: what that would show is about to change.
        let work = try lockMount(of: found.row, key)
        let upper = layout.snapshot(found.row).appending("upper")
        // Before anything is read for nothing.
        try checkThatNothingWasWritten(to: upper, of: key, isUntouched: isEmpty(upper))
        let layer = try known(blob) ?? imported(blob, over: found.below, named: key, open)
        if let own = found.layer, own != layer.diffID {
            throw Failure(
                "snapshot \(key) has layer \(own) already",
                kind: .failedPrecondition
            )
        }
        let layers = found.below + [layer.diffID]
        // Without a parent it may be given one when it is committed.
        if !found.below.isEmpty { try checkLinks(of: layers) }
        let root = try RootDirectory(of: layers, layout)
        let old = found.stack.isEmpty ? nil : try RootDirectory(of: found.stack, layout)
        // An attempt that was broken off may have given it the attributes that it is to get.
        let isUntouched = try old.map { try $0.isUntouched(upper) || root.isUntouched(upper) } ?? true
        try checkThatNothingWasWritten(to: upper, of: key, isUntouched: isUntouched)
        var isChanged = false
        do {
            try write { connection in
                let now = try connection.applicable(key, in: space) { _ in false }
                guard now == found else {
                    throw Failure("snapshot \(key) was changed meanwhile", kind: .failedPrecondition)
                }
                try connection.apply(connection.add(layer), to: found.row)
                // Before the row says so: attributes of a root that the layer is not yet over are no loss.
                isChanged = true
                try root.copy(to: upper, insteadOf: old)
                try naming("sync \(upper)") { try upper.synchronize() }
            }
        } catch {
            if isChanged, let old { try? old.copy(to: upper, insteadOf: root) }
            throw error
        }
        work.stay()
        _ = consume lock
        return layer
    }

    private func isEmpty(_ upper: FilePath) throws -> Bool {
        try naming("read \(upper)") { try upper.names() }.isEmpty
    }

    private func checkThatNothingWasWritten(to upper: FilePath, of key: String, isUntouched: Bool) throws {
        guard !isUntouched else { return }
        throw Failure(
            "snapshot \(key) was written to: a layer can't be applied to it any more",
            kind: .failedPrecondition
        )
    }

    /// The layer of a blob that is not to be read again.
    private func known(_ blob: Descriptor) throws -> NewLayer? {
        guard var layer = try layer(ofBlob: blob.digest), layout.layer(layer.diffID).exists,
            try blobs(of: layer.diffID).contains(where: { $0.digest == blob.digest && $0.size == blob.size })
        else { return nil }
        layer.blobs = [LayerBlob(blob, isVerified: true)]
        return layer
    }

    /// Reads the blob into a layer that is in its place, on disk, though no row refers to it yet.
    private func imported(
        _ blob: Descriptor,
        over layers: [Digest],
        named key: String,
        _ open: () throws -> some ByteSource
    ) throws -> NewLayer {
        let staged = try LayerImport(layout: layout).stage(
            try open(),
            named: "layer \(blob.digest), for snapshot \(key)",
            expecting: Expectation(blobDigest: blob.digest, blobSize: blob.size),
            // It may be given a parent later, to whose files it has links.
            standsAlone: false
        )
        do { try staged.publish() } catch {
            staged.discard()
            throw error
        }
        return NewLayer(
            diffID: staged.diffID,
            tarSize: staged.tarSize,
            contentSize: staged.contentSize,
            blobs: [LayerBlob(blob, isVerified: true)]
        )
    }

    /// Whether the hard links that the topmost of these layers has to files of those below are to something there.
    func checkLinks(of layers: [Digest]) throws {
        let chains = ChainStore(layout: layout)
        guard let top = layers.last, try chains.layer(top).inode(0).defersLinks else { return }
        _ = try chains.index(for: layers)
    }
}

extension Committable {
    /// diffIDs of what it shows below its upper.
    var stack: [Digest] { below + (layer.map { [$0] } ?? []) }
}

extension Connection {
    /// A snapshot to which a layer may be applied.
    fileprivate func applicable(
        _ key: String,
        in space: KeySpace,
        isLive: (Int64) -> Bool
    ) throws -> Committable {
        try idle(key, in: space, tobe: "given a layer", isLive: isLive)
    }
}
