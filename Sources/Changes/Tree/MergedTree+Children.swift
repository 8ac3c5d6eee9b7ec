import Layers
import Linux
import Overlay
import SystemPackage

import Glibc

/// A name in a merged directory.
struct TreeChild: Sendable {
    let name: [UInt8]
    let node: TreeNode
}

/// What an upper directory itself has, of which whiteouts are a part.
struct UpperEntries: Sendable {
    /// Where they are; nil: nothing of it is in the upper.
    var directory: WayDirectory?
    /// Names that the upper deletes. Sorted.
    var whiteouts: [[UInt8]] = []
    /// Sorted.
    var children: [TreeChild] = []
}

extension MergedTree {
    /// Everything in a directory, sorted by name bytes, and what of it is in the upper.
    func children(of node: TreeNode) throws -> (children: [TreeChild], directory: WayDirectory?) {
        let below = try node.lower.map { try lowerChildren(of: $0) } ?? []
        guard node.upper != nil else { return (below, nil) }
        let above = try upperEntries(of: node)
        var hidden = Set(above.whiteouts)
        hidden.formUnion(above.children.map(\.name))
        let seen = below.filter { !hidden.contains($0.name) }
        let children = (seen + above.children).sorted { $0.name.lexicographicallyPrecedes($1.name) }
        return (children, above.directory)
    }

    /// What the upper has in a directory that is in it. Throws `TreeChanged` where that is another one by now, or
    /// gone.
    func upperEntries(of node: TreeNode) throws -> UpperEntries {
        var entries = UpperEntries()
        guard let upper = node.upper else { return entries }
        let opened = try TreeChanged.wrap { () throws(Errno) in try upper.open(O_DIRECTORY) }
        guard upper.isSame(try opened.status()) else { throw TreeChanged() }
        _ = try upper.current()
        let directory = try UpperDirectory(opened, upper.directory.marks)
        entries.directory = directory.place
        for name in try directory.place.opened().fd.names() {
            guard let file = try UpperFile(FileName(name), in: directory),
                !hidden.contains(FileIdentity(file.status))
            else { continue }
            if file.marks.isWhiteout(file.status, upper.marks.opaque) {
                entries.whiteouts.append(name)
            } else {
                entries.children.append(TreeChild(name: name, node: try self.node(of: file, in: node)))
            }
        }
        entries.whiteouts.sort { $0.lexicographicallyPrecedes($1) }
        entries.children.sort { $0.name.lexicographicallyPrecedes($1.name) }
        return entries
    }

    /// A file of the upper, found in `directory`, with its part in the chain.
    func node(of file: UpperFile, in directory: TreeNode) throws -> TreeNode {
        let attributes = file.attributes
        let lower = try part(of: file, attributes, in: directory.lower)
        return TreeNode(attributes: attributes, lower: lower, upper: file)
    }

    private func lowerChildren(of inode: UInt32) throws -> [TreeChild] {
        try chain.inode(inode).entries.map { slot in
            let entry = try chain.entry(slot)
            let attributes = NodeAttributes(try chain.inode(entry.inode))
            return TreeChild(
                name: Array(entry.name),
                node: TreeNode(attributes: attributes, lower: entry.inode, upper: nil)
            )
        }
    }

    /// The inode in the chain that an upper file is merged with, or has its data from.
    private func part(
        of file: UpperFile,
        _ attributes: NodeAttributes,
        in directory: UInt32?
    ) throws -> UInt32? {
        let found: UInt32?
        if attributes.isDirectory {
            guard file.marks.opaque != .yes else { return nil }
        } else {
            guard attributes.isRegular, !file.marks.data.isHere else { return nil }
        }
        if let redirect = file.marks.redirect {
            if redirect.first == UInt8(ascii: "/") {
                found = try lowerInode(at: redirect)
            } else {
                found = try lookup(redirect, in: directory)
            }
        } else {
            found = try lookup(file.name.bytes, in: directory)
        }
        guard let found, try NodeAttributes(chain.inode(found)).type == attributes.type else { return nil }
        return found
    }

    /// nil where `directory` is none, or has no such name.
    func lookup(_ name: [UInt8], in directory: UInt32?) throws -> UInt32? {
        guard let directory else { return nil }
        let record = try chain.inode(directory)
        guard record.isDirectory else { return nil }
        return try name.withUnsafeBytes { try chain.lookup($0, in: record)?.inode }
    }

    /// An absolute path in the chain. Symbolic links are not followed.
    private func lowerInode(at path: [UInt8]) throws -> UInt32? {
        var inode: UInt32? = 0
        for name in path.split(separator: UInt8(ascii: "/")) { inode = try lookup(Array(name), in: inode) }
        return inode
    }
}
