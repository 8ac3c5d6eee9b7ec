import Layers
import Linux
import OCI
import SystemPackage

import Glibc

/// The data of a regular file, open for as long as somebody has this.
struct TreeFile {
    private enum Data {
        case disk(FileBox)
        case layers(LayerContents, InodeRecord)
        case nothing
    }

    private final class FileBox {
        let fd: OwnedFD
        init(_ fd: consuming OwnedFD) { self.fd = fd }
    }

    private let data: Data
    /// As they are now that it is open: what is on disk may have changed since it was found.
    let attributes: NodeAttributes

    fileprivate init(disk fd: consuming OwnedFD) throws(Errno) {
        let found = NodeAttributes(try fd.status())
        attributes = found
        data = .disk(FileBox(fd))
        guard found.isRegular else { throw .noSuchFileOrDirectory }
    }

    fileprivate init(_ contents: LayerContents, _ inode: InodeRecord, attributes: NodeAttributes) {
        self.attributes = attributes
        // An empty file has no content to refer to.
        data = inode.size == 0 ? .nothing : .layers(contents, inode)
    }

    fileprivate init(emptyWith attributes: NodeAttributes) {
        self.attributes = attributes
        data = .nothing
    }

    /// Fills `buffer` from byte `offset` unless the data ends before; how many bytes it got.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        switch data {
        case .disk(let file): try file.fd.readFully(into: buffer, at: offset)
        case .layers(let contents, let inode): try contents.read(inode, into: buffer, at: offset)
        case .nothing: 0
        }
    }
}

/// Where the data of a file in the store is: the same place, the same data.
enum ContentPlace: Hashable, Sendable {
    case empty
    case pack(of: Digest, offset: UInt64)
    case object(Digest)
}

extension MergedTree {
    /// Opens a regular file. ENOENT when it is gone, or has become something else.
    func open(_ node: TreeNode) throws -> TreeFile {
        if let upper = node.upper, !upper.marks.isMetacopy { return try TreeFile(disk: try upper.open(0)) }
        guard let lower = node.lower else { return TreeFile(emptyWith: node.attributes) }
        return TreeFile(contents, try chain.inode(lower), attributes: node.attributes)
    }

    /// nil where the data is in the upper.
    func place(of node: TreeNode) throws -> ContentPlace? {
        if let upper = node.upper, !upper.marks.isMetacopy { return nil }
        guard let lower = node.lower else { return nil }
        let inode = try chain.inode(lower)
        if inode.size == 0 { return .empty }
        switch ContentKind(rawValue: inode.contentKind) {
        case .packed:
            let layers = chain.layers
            guard Int(inode.layer) < layers.count else { return nil }
            return .pack(of: layers[Int(inode.layer)], offset: inode.content)
        case .object:
            guard let number = Int(exactly: inode.content) else { return nil }
            return .object(try chain.object(number).digest)
        default: return nil
        }
    }
}
