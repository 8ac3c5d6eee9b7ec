package import OCI
package import Snapshots

import Linux
import Tar

/// A file of a context that is a layer.
package enum ContextFile {
    /// Links are followed inside the layer. notFound. The caller holds the store's lock.
    package static func read(_ name: String, inLayer layer: Digest, _ store: Store) throws -> [UInt8] {
        let tree = try LayerFileTree([layer], store.layout)
        guard let file = try TreePath.resolve(TreePath.names(name.utf8), in: tree).file,
            file.attributes.kind == .file
        else { throw Failure("the context has no file \(name)", kind: .notFound) }
        return try file.bytes(limit: 4 << 20, name: name)
    }
}
