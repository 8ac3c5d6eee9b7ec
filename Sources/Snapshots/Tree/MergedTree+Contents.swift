import Layers
import Linux
import OCI
import Overlay
import SystemPackage

import Glibc

/// The data of a regular file, open for as long as somebody has this.
struct TreeFile {
    private enum Data {
        case disk(FileBox)
        case partial(PartialUpper, LayerContents, InodeRecord)
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
    /// The same; nil of a file in the layers.
    let xattrs: [NodeXattr]?

    fileprivate init(disk fd: consuming OwnedFD, _ attributes: NodeAttributes, _ xattrs: [NodeXattr]) {
        self.attributes = attributes
        self.xattrs = xattrs
        data = .disk(FileBox(fd))
    }

    /// An upper file whose holes, as far as its marks say, are the data of `inode`.
    fileprivate init(
        _ file: PartialUpper,
        _ contents: LayerContents,
        _ inode: InodeRecord,
        _ attributes: NodeAttributes,
        _ xattrs: [NodeXattr]
    ) {
        self.attributes = attributes
        self.xattrs = xattrs
        data = .partial(file, contents, inode)
    }

    fileprivate init(
        _ contents: LayerContents,
        _ inode: InodeRecord,
        attributes: NodeAttributes,
        _ xattrs: [NodeXattr]? = nil
    ) {
        self.attributes = attributes
        self.xattrs = xattrs
        // An empty file has no content to refer to.
        data = inode.size == 0 ? .nothing : .layers(contents, inode)
    }

    fileprivate init(emptyWith attributes: NodeAttributes) {
        self.attributes = attributes
        xattrs = nil
        data = .nothing
    }

    /// Fills `buffer` from byte `offset` unless the data ends before; how many bytes it got.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        switch data {
        case .disk(let file): try file.fd.readFully(into: buffer, at: offset)
        case .partial(let file, let contents, let inode):
            try file.read(into: buffer, at: offset, over: inode.size) {
                try contents.read(inode, into: $0, at: $1)
            }
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
    /// Opens a regular file. Throws `TreeChanged` where the name leads to another one by now, or to nothing.
    ///
    /// What is open is asked once more how much of its data is its own: that may have changed since it was found.
    func open(_ node: TreeNode) throws -> TreeFile {
        guard let upper = node.upper else {
            guard let lower = node.lower else { return TreeFile(emptyWith: node.attributes) }
            return TreeFile(contents, try chain.inode(lower), attributes: node.attributes)
        }
        let fd = try TreeChanged.wrap { () throws(Errno) in try upper.open(0) }
        // Before the marks: what is the lower's as a whole has the size that it had before.
        let status = try fd.status()
        guard upper.isSame(status) else { throw TreeChanged() }
        let (marks, xattrs) = try upper.current()
        let attributes = NodeAttributes(marks.shown(status))
        if marks.data.isHere { return TreeFile(disk: fd, attributes, xattrs) }
        guard let lower = node.lower else { throw Errno.ioError }
        let inode = try chain.inode(lower)
        switch marks.data {
        case .here: throw TreeChanged()
        case .below: return TreeFile(contents, inode, attributes: attributes, xattrs)
        case .partial(let mark):
            // A copy that lost its holes, or took them for data, is not what it says.
            let limit = min(mark.limit ?? .max, inode.size, attributes.size)
            guard try mark.isIntact(fd, below: limit) else { throw Errno(rawValue: EUCLEAN) }
            let file = try PartialUpper(fd, upper.directory.marks)
            return TreeFile(file, contents, inode, attributes, xattrs)
        case .unknown: throw Errno.ioError
        }
    }

    /// nil where the data is in the upper.
    func place(of node: TreeNode) throws -> ContentPlace? {
        if let upper = node.upper {
            guard case .below = upper.marks.data else { return nil }
        }
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
