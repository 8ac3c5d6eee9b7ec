package import Linux

import Nodes
import SystemPackage

/// What FUSE passthrough needs, by which the kernel reads and writes files without the daemon.
extension UnionTree {
    /// Whether one file has the node's data for good: the upper file has all of it, or there is no upper.
    package func hasOneFile(_ id: UInt64) -> Bool {
        guard upper != nil else { return true }
        guard let node = table.find(id), case .upper = node.data else { return false }
        return true
    }

    /// The open file that has exactly a regular file's data, all of it and at the same offsets, for as long
    /// as the mount lives. It may be written to where there is an upper.
    ///
    /// nil where there is no such file or another may take its place, and for a node that is no regular file.
    package func wholeFile(of id: UInt64) throws(FSError) -> OpenFile? {
        guard upper == nil else {
            guard let node = table.find(id), case .upper = node.data, !node.isDirectory, !node.isWhiteoutData
            else { return nil }
            do throws(FSError) {
                return try open(node)
            } catch .system(.invalidArgument) {
                return nil
            }
        }
        let inode = try lowerInode(id)
        // An empty file has no contents to open.
        let record = try lower.inode(inode)
        guard record.isRegular, record.size > 0 else { return nil }
        let located = try lower.locate(inode)
        return located.isWhole && located.start == 0 ? located.file : nil
    }

    /// Copies a regular file up before it is opened for writing, and truncates it where `isTruncating`.
    package func prepareWriting(
        _ id: UInt64,
        isTruncating: Bool,
        killsPrivileges: Bool
    ) throws(FSError) {
        guard isTruncating else {
            _ = try copyUp(id, data: .blocks)
            return
        }
        var change = AttributeChange()
        change.size = 0
        change.killsPrivileges = killsPrivileges
        _ = try self.change(id, change)
    }
}
