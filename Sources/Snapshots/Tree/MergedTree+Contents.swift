import Layers
import Linux
import OCI
import SystemPackage

import Glibc

/// The data of a regular file, open for as long as somebody has this.
struct TreeFile {
    private enum Data {
        case disk(FileBox)
        /// Holes below the limit, in bytes, are in the layers.
        case partial(FileBox, LayerContents, InodeRecord, limit: UInt64)
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

    /// An upper file whose holes below `limit` are the data of `inode`.
    fileprivate init(
        partial fd: consuming OwnedFD,
        _ contents: LayerContents,
        _ inode: InodeRecord,
        limit: UInt64
    ) throws(Errno) {
        let found = NodeAttributes(try fd.status())
        attributes = found
        data = .partial(FileBox(fd), contents, inode, limit: min(limit, inode.size, found.size))
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
        case .partial(let file, let contents, let inode, let limit):
            try TreeFile.read(into: buffer, at: offset, file.fd, contents, inode, limit: limit)
        case .layers(let contents, let inode): try contents.read(inode, into: buffer, at: offset)
        case .nothing: 0
        }
    }
}

extension TreeFile {
    private static func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64,
        _ file: borrowing OwnedFD,
        _ contents: LayerContents,
        _ inode: InodeRecord,
        limit: UInt64
    ) throws -> Int {
        var position = offset
        let end = offset + UInt64(buffer.count)
        func piece(to next: UInt64) -> UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(rebasing: buffer[Int(position - offset)..<Int(next - offset)])
        }
        while position < end {
            let data = try position < limit ? seek(file, position, SEEK_DATA) : position
            if data > position {
                let next = min(data, limit, end)
                let hole = piece(to: next)
                guard try contents.read(inode, into: hole, at: position) == hole.count else {
                    throw Errno.ioError
                }
                position = next
            } else {
                let hole = try position < limit ? seek(file, position, SEEK_HOLE) : end
                let next = hole < limit ? min(hole, end) : end
                let count = try file.readFully(into: piece(to: next), at: position)
                position += UInt64(count)
                if position < next { break }
            }
        }
        return Int(position - offset)
    }

    private static func seek(
        _ file: borrowing OwnedFD,
        _ offset: UInt64,
        _ whence: CInt
    ) throws(Errno) -> UInt64 {
        let found = file.use { lseek($0, off_t(clamping: offset), whence) }
        if found >= 0 { return UInt64(found) }
        guard Errno.last == .noSuchAddressOrDevice else { throw .last }
        return .max
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
        if let upper = node.upper {
            switch upper.marks.data {
            case .here: return try TreeFile(disk: try upper.open(0))
            case .below: break
            case .partial(let limit):
                guard let lower = node.lower else { throw Errno.ioError }
                let inode = try chain.inode(lower)
                return try TreeFile(partial: try upper.open(0), contents, inode, limit: limit)
            case .unknown: throw Errno.ioError
            }
        }
        guard let lower = node.lower else { return TreeFile(emptyWith: node.attributes) }
        return TreeFile(contents, try chain.inode(lower), attributes: node.attributes)
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
