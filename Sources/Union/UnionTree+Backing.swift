package import Linux

import Glibc
import SystemPackage

/// The one file that has all of a regular file's data.
package struct BackingFile {
    package let file: OpenFile
    /// It belongs to a lower, and must never be written to.
    package let isLower: Bool
}

extension UnionTree {
    /// The file that has the data of a regular file from its first byte on and nothing else; nil where there is none,
    /// because the data is packed with that of others, or in two places (`PartialData`). EINVAL for what is not a
    /// regular file.
    ///
    /// An answer stays right until the file is copied up: what is whole in the upper stays whole there.
    package func backing(of id: UInt64) throws(FSError) -> BackingFile? {
        let inode: UInt32
        if let node = table.find(id) {
            switch node.data {
            case .upper: return BackingFile(file: try open(node), isLower: false)
            case .lost: throw .system(.ioError)
            case .partial: return nil
            case .lower(let number): inode = number
            }
        } else {
            inode = try lowerInode(id)
        }
        let record = try lower.inode(inode)
        guard record.isRegular else { throw .system(.invalidArgument) }
        guard record.size > 0 else { return nil }
        let located = try lower.locate(inode)
        return located.isWhole && located.start == 0 ? BackingFile(file: located.file, isLower: true) : nil
    }

    /// Whether all data of a regular file is in a lower.
    package func hasAllDataInLower(_ id: UInt64) -> Bool {
        guard let node = table.find(id) else { return true }
        if case .lower = node.data { return true }
        return false
    }

    /// Before a regular file is open for writing: it comes to the upper, ready for any part to be written, or with
    /// nothing of its data where it is about to be cut to no length.
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
