import SystemPackage

import Glibc

/// A file of any kind as it should be.
final class ModelNode {
    enum Kind { case directory, file, symlink, fifo }

    let kind: Kind
    var mode: UInt32
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    /// A file's content, a symbolic link's target, the value of its one attribute: what a tag says.
    var tag: Int
    var xattr: Int?
    /// Only a time that was set is known, and only as long as nothing changes it.
    var time: Int?
    /// Of a file: its names. Of a directory: 1 while it has one.
    var names = 1
    var children: [String: ModelNode] = [:]
    /// st_ino, from when it was first seen.
    var inode: UInt64?

    init(_ kind: Kind, mode: UInt32, tag: Int = 0) { (self.kind, self.mode, self.tag) = (kind, mode, tag) }

    var isDirectory: Bool { kind == .directory }

    /// st_nlink as ext4 counts.
    var links: Int {
        guard isDirectory else { return names }
        return names == 0 ? 0 : 2 + children.values.count { $0.isDirectory }
    }

    var type: UInt32 {
        switch kind {
        case .directory: S_IFDIR
        case .file: S_IFREG
        case .symlink: S_IFLNK
        case .fifo: S_IFIFO
        }
    }

    /// A line a file.
    var description: String { lines(".").joined(separator: "\n") }

    private func lines(_ path: String) -> [String] {
        ["  \(path) \(kind) \(ObjectIdentifier(self))"]
            + children.sorted { $0.key < $1.key }.flatMap { $0.value.lines("\(path)/\($0.key)") }
    }

    func forgetInodes() {
        inode = nil
        for child in children.values { child.forgetInodes() }
    }

    func holds(_ other: ModelNode) -> Bool { self === other || children.values.contains { $0.holds(other) } }
}

/// A tree of names with the answers of ext4. All symbolic links dangle.
final class NameModel {
    let root = ModelNode(.directory, mode: 0o755)

    typealias Name = NameOperation.Name

    /// What path resolution gives; links on the way lead nowhere.
    func find(_ name: Name) throws(Errno) -> ModelNode {
        var node = root
        for component in name {
            guard node.kind != .symlink else { throw .noSuchFileOrDirectory }
            guard node.isDirectory else { throw .notDirectory }
            guard let child = node.children[component] else { throw .noSuchFileOrDirectory }
            node = child
        }
        return node
    }

    /// The same where the last component, too, is followed if it is a link.
    func follow(_ name: Name) throws(Errno) -> ModelNode {
        let node = try find(name)
        guard node.kind != .symlink else { throw .noSuchFileOrDirectory }
        return node
    }

    private func parent(_ name: Name) throws(Errno) -> ModelNode {
        let parent = try follow(name.dropLast())
        guard parent.isDirectory else { throw .notDirectory }
        return parent
    }

    func make(_ name: Name, _ node: ModelNode) throws(Errno) {
        let parent = try parent(name)
        guard parent.children[last(name)] == nil else { throw .fileExists }
        parent.children[last(name)] = node
        parent.time = nil
    }

    func link(_ old: Name, _ new: Name) throws(Errno) { try link(find(old), new) }

    func link(_ node: ModelNode, _ new: Name) throws(Errno) {
        let parent = try parent(new)
        guard parent.children[last(new)] == nil else { throw .fileExists }
        guard !node.isDirectory else { throw .notPermitted }
        guard node.names > 0 else { throw .noSuchFileOrDirectory }
        parent.children[last(new)] = node
        parent.time = nil
        node.names += 1
    }

    func unlink(_ name: Name) throws(Errno) {
        let parent = try parent(name)
        guard let node = parent.children[last(name)] else { throw .noSuchFileOrDirectory }
        guard !node.isDirectory else { throw .isDirectory }
        take(last(name), from: parent)
    }

    func removeDirectory(_ name: Name) throws(Errno) {
        let parent = try parent(name)
        guard let node = parent.children[last(name)] else { throw .noSuchFileOrDirectory }
        guard node.isDirectory else { throw .notDirectory }
        guard node.children.isEmpty else { throw .directoryNotEmpty }
        take(last(name), from: parent)
    }

    /// renameat2(2), its checks in the kernel's order.
    func rename(_ old: Name, _ new: Name, flags: UInt32) throws(Errno) {
        let from = try parent(old)
        let to = try parent(new)
        guard let node = from.children[last(old)] else { throw .noSuchFileOrDirectory }
        let target = to.children[last(new)]
        if flags == 1, target != nil { throw .fileExists }
        if flags == 2, target == nil { throw .noSuchFileOrDirectory }
        // A directory above the other name: as source, and as target.
        if node.isDirectory, node.holds(to) { throw .invalidArgument }
        if let target, target.isDirectory, target.holds(from) {
            throw flags == 2 ? .invalidArgument : .directoryNotEmpty
        }
        if let target, target === node { return }
        if flags == 2, let target {
            from.children[last(old)] = target
            to.children[last(new)] = node
        } else {
            if let target {
                guard target.isDirectory == node.isDirectory else {
                    throw node.isDirectory ? .notDirectory : .isDirectory
                }
                guard target.children.isEmpty else { throw .directoryNotEmpty }
                take(last(new), from: to)
            }
            from.children[last(old)] = nil
            to.children[last(new)] = node
        }
        (from.time, to.time) = (nil, nil)
    }

    /// As before anybody looked.
    func forgetInodes() { root.forgetInodes() }

    private func take(_ name: String, from parent: ModelNode) {
        parent.children[name]?.names -= 1
        parent.children[name] = nil
        parent.time = nil
    }

    private func last(_ name: Name) -> String { name.last ?? "" }
}
