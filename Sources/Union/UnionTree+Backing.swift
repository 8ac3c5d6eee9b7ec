package import Linux

import SystemPackage

/// For whoever lets the kernel read and write files without asking.
extension UnionTree {
    /// The open file that has a regular file's data, all of it, at the same offsets, and nothing else.
    package struct WholeFile {
        package let file: OpenFile
        /// Of the upper: it may be written to. The lower's never.
        package let isWritable: Bool
    }

    /// nil where the data is in two places, packed with others, or lost, and of what is no regular file.
    ///
    /// An answer stays right until the file is copied up: what is whole in the upper stays whole there.
    package func wholeFile(of id: UInt64) throws(FSError) -> WholeFile? {
        let inode: UInt32
        if let node = table.find(id) {
            switch node.data {
            case .lost, .damaged, .partial: return nil
            case .upper:
                guard !node.isDirectory, !node.isWhiteoutData else { return nil }
                do throws(FSError) {
                    return WholeFile(file: try open(node), isWritable: true)
                } catch .system(.invalidArgument) {
                    return nil
                }
            case .lower(let number): inode = number
            }
        } else {
            inode = try lowerInode(id)
        }
        // What is empty has no contents to be opened.
        let record = try lower.inode(inode)
        guard record.isRegular, record.size > 0 else { return nil }
        let located = try lower.locate(inode)
        return located.isWhole && located.start == 0 ? WholeFile(file: located.file, isWritable: false) : nil
    }

    /// Whether all data of a regular file is in a lower.
    package func hasAllDataInLower(_ id: UInt64) -> Bool {
        guard let node = table.find(id) else { return true }
        if case .lower = node.data { return true }
        return false
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
