import Digests
import Layers
import Linux
import SystemPackage
import Tar

import Glibc

/// What a stack of layers holds, read from its index and its contents, without a mount.
final class LayerFileTree: FileTree {
    fileprivate let index: LayerIndex
    fileprivate let contents: LayerContents

    /// `layers`: bottom to top. The caller holds the store's lock, because the index may have to be made.
    init(_ layers: [Digest], _ layout: StoreLayout) throws {
        let chains = ChainStore(layout: layout)
        index = try chains.index(for: layers)
        contents = LayerContents(layout: layout, index: index)
    }

    func root() throws -> any TreeFile { try reading { try LayerFile(0, self) } }
}

private func reading<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch let error as FSError {
        throw Failure("a layer can't be read: \(error)", advice: "Check the store: mica fsck --deep")
    }
}

private struct LayerFile: TreeFile {
    let tree: LayerFileTree
    let number: UInt32
    let inode: InodeRecord

    init(_ number: UInt32, _ tree: LayerFileTree) throws {
        self.tree = tree
        self.number = number
        inode = try tree.index.inode(number)
    }

    var attributes: TreeAttributes {
        let kind = TarEntry.Kind(mode: inode.mode)
        let isDevice = kind == .characterDevice || kind == .blockDevice
        return TreeAttributes(
            kind: kind,
            mode: inode.mode & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
            size: kind == .file ? inode.size : 0,
            modified: .init(seconds: inode.mtimeSeconds, nanoseconds: inode.mtimeNanoseconds),
            // The kernel's 32-bit encoding.
            device: .init(
                major: isDevice ? inode.rdev >> 8 & 0xfff : 0,
                minor: isDevice ? inode.rdev & 0xff | inode.rdev >> 12 & 0xfff00 : 0
            )
        )
    }

    var identity: TreeIdentity? { !isDirectory && inode.nlink > 1 ? .index(number) : nil }

    func target() throws -> [UInt8] { try reading { Array(try tree.index.target(of: inode)) } }

    func xattrs() throws -> [TarEntry.Xattr] {
        try reading {
            var list: [TarEntry.Xattr] = []
            try tree.index.forEachXattr(of: inode) { (name, value) throws(FSError) in
                list.append(.init(name: Array(name), value: Array(value)))
                return true
            }
            return list.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        }
    }

    func names() throws -> [[UInt8]] {
        guard isDirectory else { return [] }
        return try reading { try inode.entries.map { Array(try tree.index.entry($0).name) } }
            .sorted { $0.lexicographicallyPrecedes($1) }
    }

    func child(_ name: [UInt8]) throws -> (any TreeFile)? {
        guard isDirectory else { return nil }
        return try reading {
            let entry = try name.withUnsafeBytes { try tree.index.lookup($0, in: inode) }
            guard let entry, !entry.isWhiteout else { return nil }
            return try LayerFile(entry.inode, tree)
        }
    }

    func content() throws -> any ByteSource { LayerFileSource(tree: tree, inode: inode) }
}

private struct LayerFileSource: ByteSource {
    let tree: LayerFileTree
    let inode: InodeRecord
    var offset: UInt64 = 0

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard inode.size > 0 else { return 0 }
        let (contents, start) = (tree.contents, offset)
        let count = try reading { try contents.read(inode, into: buffer, at: start) }
        offset += UInt64(count)
        return count
    }
}
