package import Linux

import Nodes
import SystemPackage

/// For whoever lets the kernel read and write files without asking.
extension UnionTree {
    /// Whether the data of a node is in one file for good: all of it in the upper, or in a lower that nothing is over.
    package func hasOneFile(_ id: UInt64) -> Bool {
        guard upper != nil else { return true }
        guard let node = table.find(id), case .upper = node.data else { return false }
        return true
    }

    /// The open file that has a regular file's data, all of it, at the same offsets, and nothing else: as long as the
    /// mount lives. It may be written to, where there is an upper.
    ///
    /// nil where there is no such file, or it may come to be another; and for what is no regular file.
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
        // What is empty has no contents to be opened.
        let record = try lower.inode(inode)
        guard record.isRegular, record.size > 0 else { return nil }
        let located = try lower.locate(inode)
        return located.isWhole && located.start == 0 ? located.file : nil
    }

    /// Before a regular file is open for writing: it comes to the upper, cut to no length where `isTruncating`.
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
