import Layers
import Linux
import OCI
import Overlay
import SystemPackage

import Glibc

/// The data of a regular file, open as long as this value lives.
struct TreeFile {
    /// As they are now that it is open: what is on disk may have changed since it was found.
    let attributes: NodeAttributes
    /// The same; nil of a file in the layers.
    var xattrs: [NodeXattr]?
    fileprivate let data: (UnsafeMutableRawBufferPointer, UInt64) throws -> Int

    /// Fills `buffer` from byte `offset` unless the data ends before; how many bytes it got.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        try data(buffer, offset)
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
            guard let lower = node.lower else { return TreeFile(attributes: node.attributes) { (_, _) in 0 } }
            return TreeFile(attributes: node.attributes, data: try reader(of: chain.inode(lower)))
        }
        let fd = try TreeChanged.wrap { () throws(Errno) in try upper.open(0) }
        // Before the marks: what is the lower's as a whole has the size that it had before.
        let status = try fd.status()
        guard upper.isSame(status) else { throw TreeChanged() }
        let (marks, xattrs) = try upper.current()
        let attributes = NodeAttributes(marks.shown(status))
        let file = OpenFile(fd)
        if marks.data.isHere {
            return TreeFile(attributes: attributes, xattrs: xattrs) {
                try file.fd.readFully(into: $0, at: $1)
            }
        }
        guard let lower = node.lower else { throw Errno.ioError }
        let inode = try chain.inode(lower)
        switch marks.data {
        case .here: throw TreeChanged()
        case .below:
            return TreeFile(attributes: attributes, xattrs: xattrs, data: reader(of: inode))
        case .partial(let mark):
            // A copy that lost its holes, or took them for data, is not what it says.
            let limit = min(mark.limit ?? .max, inode.size, attributes.size)
            guard try mark.isIntact(file.fd, below: limit) else { throw Errno(rawValue: EUCLEAN) }
            let (partial, below) = (try PartialUpper(file, upper.directory.marks), reader(of: inode))
            return TreeFile(attributes: attributes, xattrs: xattrs) {
                try partial.read(into: $0, at: $1, over: inode.size, below)
            }
        case .unknown: throw Errno.ioError
        }
    }

    private func reader(
        of inode: InodeRecord
    ) -> (UnsafeMutableRawBufferPointer, UInt64) throws -> Int {
        // An empty file has no content to refer to.
        { [contents] in inode.size == 0 ? 0 : try contents.read(inode, into: $0, at: $1) }
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
