package import Layers
package import SystemPackage

import Linux
import Overlay

import Glibc

/// What a mount of a stack of layers, and of an upper over it, shows: read from the index and from the upper
/// directory, without a mount. An upper that is being written to is read as it is found.
package final class MergedTree: Sendable {
    package let chain: LayerIndex
    let contents: LayerContents
    let root: TreeNode
    /// What is in the upper only to be mounted on, and left out.
    let hidden: Set<FileIdentity>

    /// `upper`: a directory in the kernel's overlayfs format.
    package init(chain: LayerIndex, upper: FilePath?, layout: StoreLayout) throws {
        self.chain = chain
        contents = LayerContents(layout: layout, index: chain)
        hidden = upper.map { MadePaths.untouched(in: $0) } ?? []
        if let upper {
            // Through it the attributes are read of what has no name, or is a symbolic link.
            guard FilePath("/proc/self/fd").exists else {
                throw Failure("/proc is not mounted: what \(upper) holds can't be read without it")
            }
            let file = try naming("open \(upper)") { try UpperFile(root: upper) }
            try MergedTree.refuse(upper, file, without: chain)
            root = TreeNode(
                attributes: file.attributes,
                lower: file.marks.opaque == .yes ? nil : 0,
                upper: file
            )
        } else {
            root = TreeNode(attributes: NodeAttributes(try chain.inode(0)), lower: 0, upper: nil)
        }
    }

    /// Throws where an upper has lost the marks without which it would show something else, or they are of a form that
    /// this process does not see.
    private static func refuse(_ path: FilePath, _ root: UpperFile, without chain: LayerIndex) throws {
        let marks = try RootMarks(root.directory.place.opened().fd, OverlayMarks.all)
        guard marks.areLost, try RootMarks.evidence.withBytes({ try chain.lookup($0, in: 0) }) == nil
        else { return }
        throw Failure(
            "\(path) does not have the extended attributes that it had: what it stands for can't be told",
            advice: RootMarks.advice
        )
    }
}

/// One file of any type in a merged tree.
struct TreeNode: Sendable {
    let attributes: NodeAttributes
    /// Its part in the chain: of a directory what is merged into it, of a file in the upper whose data was not
    /// copied the file that has it, and for what is in the chain alone: the inode.
    let lower: UInt32?
    let upper: UpperFile?

    var isDirectory: Bool { attributes.isDirectory }
}

extension MergedTree {
    /// Sorted by name.
    func xattrs(of node: TreeNode) throws -> [NodeXattr] {
        if let upper = node.upper { return try upper.nodeXattrs(upper.marks) }
        guard let lower = node.lower else { return [] }
        var list: [NodeXattr] = []
        try chain.forEachXattr(of: chain.inode(lower)) { (name, value) throws(FSError) in
            list.append(NodeXattr(name: Array(name), value: Array(value)))
            return true
        }
        return list.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// The text of a symbolic link.
    func target(of node: TreeNode) throws -> [UInt8] {
        if let upper = node.upper { return try upper.target() }
        guard let lower = node.lower else { return [] }
        return Array(try chain.target(of: chain.inode(lower)))
    }

    /// Which inode it is, for what can have several names; nil for what has one.
    func identity(of node: TreeNode) throws -> FileIdentity? {
        guard !node.isDirectory else { return nil }
        if let upper = node.upper {
            guard upper.status.st_nlink > 1 else { return nil }
            return FileIdentity(upper.status)
        }
        guard let lower = node.lower, try chain.inode(lower).nlink > 1 else { return nil }
        return .lower(lower)
    }
}

enum FileIdentity: Hashable, Sendable {
    case upper(device: UInt64, inode: UInt64)
    case lower(UInt32)
}
