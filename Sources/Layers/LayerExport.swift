package import Digests
import Linux
import SystemPackage

import Glibc

/// Makes a layer's tar again, byte for byte, from its recipe, its pack and the objects.
package struct LayerExport: Sendable {
    private let layout: StoreLayout

    package init(layout: StoreLayout) { self.layout = layout }

    /// The size in bytes of the tar that `write` makes.
    package func size(of diffID: Digest) throws -> UInt64 {
        try RecipeReader(layout.layer(diffID).appending("recipe")).header.tarSize
    }

    /// Passes the tar to `sink`, piece by piece. Throws after the last piece where the digest is not the layer's:
    /// the pieces must not count before this returns.
    package func write(_ diffID: Digest, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        try LayerAssembly(layout, diffID).run(sink)
    }
}
