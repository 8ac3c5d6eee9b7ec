import Layers
import Linux
import SystemPackage

/// The names of files that have several.
extension MergedTree {
    /// The paths in the chain, without a slash in front, of each of `inodes`; both sorted.
    func names(of inodes: Set<UInt32>) throws -> [(inode: UInt32, paths: [[UInt8]])] {
        var found: [UInt32: [[UInt8]]] = [:]
        var pending: [(path: [UInt8], inode: UInt32)] = [([], 0)]
        while let directory = pending.popLast() {
            for slot in try chain.inode(directory.inode).entries {
                let entry = try chain.entry(slot)
                let path = directory.path.isEmpty ? Array(entry.name) : directory.path + [0x2f] + entry.name
                if inodes.contains(entry.inode) { found[entry.inode, default: []].append(path) }
                if try chain.inode(entry.inode).isDirectory { pending.append((path, entry.inode)) }
            }
        }
        return found.sorted { $0.key < $1.key }.map { inode, paths in
            (inode, paths.sorted { $0.lexicographicallyPrecedes($1) })
        }
    }

    /// Passes the directories from the root to the last but one of `path`, each while what it is in is open. Whether
    /// there is `inode` of the chain to be seen under the path.
    func forEachDirectory(
        to path: [[UInt8]],
        showing inode: UInt32,
        _ body: (TreeNode) throws -> Void
    ) throws -> Bool {
        let way = DirectoryWay()
        var directory = root
        for (depth, name) in path.enumerated() {
            try body(directory)
            let entries = try upperEntries(of: directory)
            guard let child = try child(name, of: directory, entries) else { return false }
            if depth == path.count - 1 { return child.upper == nil && child.lower == inode }
            guard child.isDirectory else { return false }
            way.enter(entries.directory)
            directory = child
        }
        return false
    }

    private func child(
        _ name: [UInt8],
        of directory: TreeNode,
        _ above: UpperEntries
    ) throws -> TreeNode? {
        if above.whiteouts.contains(name) { return nil }
        if let found = above.children.first(where: { $0.name == name }) { return found.node }
        guard let inode = try lookup(name, in: directory.lower) else { return nil }
        return TreeNode(attributes: NodeAttributes(try chain.inode(inode)), lower: inode, upper: nil)
    }
}
