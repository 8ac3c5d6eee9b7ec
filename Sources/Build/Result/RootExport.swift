package import Snapshots

import Linux
import Tar

/// The root filesystem of an image as one tar, without its layers.
package struct RootExport {
    private let store: Store

    package init(store: Store) { self.store = store }

    /// Names are in the order of their bytes, so the same image gives the same tar. `sink` gets it in pieces of any size.
    package func write(
        _ image: ImageRecord,
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let lock = try store.lockForChange()
        let tree = try LayerFileTree(image.layers, store.layout)
        let writer = FileWriter(notAfter: nil, to: sink)
        try add(tree.root(), [], writer)
        _ = try writer.finish()
        _ = consume lock
    }

    private func add(_ directory: any TreeFile, _ path: [UInt8], _ writer: FileWriter) throws {
        for name in try directory.names() {
            guard let file = try directory.child(name) else { continue }
            let path = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            try writer.add(file, path, to: path, file.attributes)
            if file.isDirectory { try add(file, path, writer) }
        }
    }
}
