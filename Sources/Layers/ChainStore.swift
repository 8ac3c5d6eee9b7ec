package import Digests
package import SystemPackage

import Glibc
import Linux

/// The chain indexes: a cache under chains/, by chainID. A missing or damaged one is folded again.
package struct ChainStore: Sendable {
    private let layout: StoreLayout
    private let isLocked: Bool

    /// `isLocked`: the caller has the store's lock exclusively, so this must not lock it again.
    package init(layout: StoreLayout, isLocked: Bool = false) {
        self.layout = layout
        self.isLocked = isLocked
    }

    /// The path of a stack's index, which need not exist. `layers`: bottom to top; an empty stack has one, too.
    package func path(for layers: [Digest]) -> FilePath { path(of: ChainID.all(of: layers).last) }

    /// The same for a caller that knows the stack's chainID, which takes a hash for each layer. nil: the empty
    /// stack.
    package func path(of chainID: Digest?) -> FilePath {
        chainID.map { layout.chain($0) } ?? layout.chains.appending("empty")
    }

    /// The index of a stack, folded now if need be. Two callers at once both fold, and either result serves.
    package func index(for layers: [Digest]) throws -> LayerIndex {
        let path = path(for: layers)
        if path.exists, let index = try? LayerIndex(path, verifying: true), index.layers == layers {
            return index
        }
        try write(fold(layers), to: path)
        return try LayerIndex(path, verifying: false)
    }

    package func unverified(for layers: [Digest]) -> LayerIndex? {
        unverified(for: layers, chainID: ChainID.all(of: layers).last)
    }

    /// The index of a stack if it exists. Only its header has been checked: `hasRightChecksum` checks the rest.
    package func unverified(for layers: [Digest], chainID: Digest?) -> LayerIndex? {
        guard let index = try? LayerIndex(path(of: chainID), verifying: false), index.layers == layers
        else { return nil }
        return index
    }

    /// The index of one layer.
    package func layer(_ diffID: Digest) throws -> LayerIndex {
        let path = layout.layer(diffID).appending("index")
        guard path.exists else {
            throw Failure("layer \(diffID) is not in the store", advice: "Load an image that has it again.")
        }
        let index = try LayerIndex(path, verifying: true)
        guard index.kind == .layer, index.layers == [diffID] else {
            throw Failure("the index \(path) is damaged: it is of another layer")
        }
        return index
    }

    private func fold(_ layers: [Digest]) throws -> IndexBuilder {
        // A commit adds one layer to an existing chain, so only two trees need to be merged.
        if let top = layers.last, layers.count > 1 {
            let below = Array(layers.dropLast())
            if let chain = try? LayerIndex(path(for: below), verifying: true), chain.layers == below {
                return try ChainFold.fold([chain, layer(top)])
            }
        }
        return try ChainFold.fold(layers.map { try layer($0) })
    }

    private func write(_ builder: consuming IndexBuilder, to path: FilePath) throws {
        // A process with this lock held exclusively may sweep tmp/. Callers that hold it shared get it once more.
        let lock = isLocked ? nil : try naming("lock \(layout.lock)") { try FileLock(layout.lock, .shared) }
        defer { withExtendedLifetime(lock) {} }
        let staging = try layout.staging("chain")
        defer { try? staging.removeTree() }
        let file = staging.appending("index")
        do throws(Errno) {
            let fd = try OwnedFD.open(file, O_WRONLY | O_CREAT | O_EXCL, mode: 0o400)
            try builder.write(to: fd)
            // Not for durability, since it is a cache: a crash must not leave a file of the right size full of
            // zeros.
            try fd.synchronize()
        } catch {
            throw Failure("write \(file)", error)
        }
        try naming("rename \(file) to \(path)") { try file.rename(to: path) }
    }
}
