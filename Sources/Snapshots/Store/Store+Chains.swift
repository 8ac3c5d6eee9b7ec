import Layers
import Linux

extension Store {
    /// Indexes the stacks of new images, so that their first mounts need not. The caller has the store's lock, shared.
    ///
    /// An index is a cache: where this fails, for want of room for instance, the first mount tries again, and says why
    /// it can't.
    func indexStacks(of images: [ImageRecord]) {
        let chains = ChainStore(layout: layout)
        for image in images where chains.unverified(for: image.layers) == nil {
            _ = try? chains.index(for: image.layers)
        }
    }
}
