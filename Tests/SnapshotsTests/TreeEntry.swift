import Digests
import Foundation
import Layers
import Linux
import SystemPackage

import Glibc

/// Everything about one name in a tree that two trees must agree on.
struct TreeEntry: Equatable, CustomStringConvertible {
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var size: UInt64
    var mtime: String
    var device: String
    var xattrs: [String: [UInt8]]
    /// The digest of a file's data, or a symbolic link's text.
    var content: String
    /// The first of its names in path order.
    var firstName: String

    var description: String {
        "\(String(mode, radix: 8)) \(uid):\(gid) \(size) \(mtime) \(device) \(xattrs.keys.sorted()) \(content) =\(firstName)"
    }

    /// By path from the root, "" for the root. Overlayfs's own attributes are left out.
    static func list(_ root: FilePath) throws -> [String: TreeEntry] {
        var entries: [String: TreeEntry] = [:]
        var names: [UInt64: String] = [:]
        func visit(_ path: FilePath, _ name: String) throws {
            let status = try path.status()
            let type = status.st_mode & S_IFMT
            if names[UInt64(status.st_ino)] == nil { names[UInt64(status.st_ino)] = name }
            var xattrs: [String: [UInt8]] = [:]
            for xattr in try Xattr.names(at: path) {
                xattrs[xattr.description] = try Xattr.get(xattr, at: path)
            }
            var content = ""
            if type == S_IFREG {
                content = try "\(SHA256.digest(of: OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 30)))"
            } else if type == S_IFLNK {
                content = try FileManager.default.destinationOfSymbolicLink(atPath: path.string)
            }
            let hasSize = type == S_IFREG || type == S_IFLNK
            let isDevice = type == S_IFCHR || type == S_IFBLK
            entries[name] = TreeEntry(
                mode: status.st_mode,
                uid: status.st_uid,
                gid: status.st_gid,
                size: hasSize ? UInt64(status.st_size) : 0,
                mtime: "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)",
                device: isDevice ? "\(status.st_rdev >> 8 & 0xfff):\(status.st_rdev & 0xff)" : "",
                xattrs: xattrs,
                content: content,
                firstName: names[UInt64(status.st_ino)] ?? name
            )
            guard type == S_IFDIR else { return }
            for child in try path.names().map({ String(decoding: $0, as: UTF8.self) }).sorted() {
                try visit(path.appending(child), name.isEmpty ? child : "\(name)/\(child)")
            }
        }
        try visit(root, "")
        return entries
    }

    static func list(_ index: LayerIndex, _ layout: StoreLayout) throws -> [String: TreeEntry] {
        var entries: [String: TreeEntry] = [:]
        var names: [UInt32: String] = [:]
        let contents = LayerContents(layout: layout, index: index)
        func visit(_ number: UInt32, _ name: String) throws {
            let inode = try index.inode(number)
            if names[number] == nil { names[number] = name }
            var xattrs: [String: [UInt8]] = [:]
            try index.forEachXattr(of: inode) { (name, value) throws(FSError) in
                xattrs[String(decoding: name, as: UTF8.self)] = Array(value)
                return true
            }
            var content = ""
            if inode.isRegular {
                var data = [UInt8](repeating: 0, count: Int(inode.size))
                let count = try data.withUnsafeMutableBytes { try contents.read(inode, into: $0, at: 0) }
                content = "\(SHA256.digest(of: Array(data[..<count])))"
            } else if inode.isSymlink {
                content = String(decoding: try index.target(of: inode), as: UTF8.self)
            }
            let isDevice = inode.kind == UInt8(DT_CHR) || inode.kind == UInt8(DT_BLK)
            entries[name] = TreeEntry(
                mode: inode.mode,
                uid: inode.uid,
                gid: inode.gid,
                size: inode.isDirectory ? 0 : inode.size,
                mtime: "\(inode.mtimeSeconds).\(inode.mtimeNanoseconds)",
                device: isDevice ? "\(inode.rdev >> 8 & 0xfff):\(inode.rdev & 0xff)" : "",
                xattrs: xattrs,
                content: content,
                firstName: names[number] ?? name
            )
            guard inode.isDirectory else { return }
            for slot in inode.entries {
                let entry = try index.entry(slot)
                let child = String(decoding: entry.name, as: UTF8.self)
                try visit(entry.inode, name.isEmpty ? child : "\(name)/\(child)")
            }
        }
        try visit(0, "")
        return entries
    }
}

/// What two trees don't agree on, a line each.
func differences(_ left: [String: TreeEntry], _ right: [String: TreeEntry]) -> [String] {
    Set(left.keys).union(right.keys).sorted().compactMap { path in
        guard left[path] != right[path] else { return nil }
        let (a, b) = (left[path].map { "\($0)" } ?? "absent", right[path].map { "\($0)" } ?? "absent")
        return "/\(path): \(a) | \(b)"
    }
}
