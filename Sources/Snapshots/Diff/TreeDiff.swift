import Layers
import Linux

import Glibc

/// Compares two trees name by name, as one walk through both in name order.
///
/// A directory that both sides have from the same place is not entered, so a container is compared with its
/// image at a cost that grows with what it changed. A name that an upper has counts as changed even where
/// nothing differs, as in docker; so does a directory in which something changed.
struct TreeDiff {
    private let old: MergedTree
    private let new: MergedTree
    /// The same index: the same inode number is the same file.
    private let isSameChain: Bool
    private let report: (Change) throws -> Void
    /// Directories on the way down that are equal so far: reported once something in them is not.
    private var pending: [[UInt8]] = []
    private let buffers: CompareBuffers

    init(from old: MergedTree, to new: MergedTree, report: @escaping (Change) throws -> Void) {
        self.old = old
        self.new = new
        self.report = report
        isSameChain = old.chain.path == new.chain.path
        buffers = CompareBuffers()
    }

    mutating func run() throws {
        // The root has no name that could be reported.
        try compareChildren(old.root, new.root, [])
    }

    private mutating func compareChildren(_ left: TreeNode, _ right: TreeNode, _ path: [UInt8]) throws {
        var before = try children(of: left, in: old, path)[...]
        var after = try children(of: right, in: new, path)[...]
        while true {
            switch (before.first, after.first) {
            case (nil, nil): return
            case (let gone?, let next) where next.map { gone.name.lexicographicallyPrecedes($0.name) } ?? true:
                before.removeFirst()
                try deleted(gone.node, path + [0x2f] + gone.name)
            case (let next, let fresh?)
            where next.map { fresh.name.lexicographicallyPrecedes($0.name) } ?? true:
                after.removeFirst()
                try added(fresh.node, path + [0x2f] + fresh.name)
            case (let gone?, let fresh?):
                before.removeFirst()
                after.removeFirst()
                try compare(gone.node, fresh.node, path + [0x2f] + fresh.name)
            default: return
            }
        }
    }

    /// A directory that is gone meanwhile has nothing in it.
    private func children(of node: TreeNode, in tree: MergedTree, _ path: [UInt8]) throws -> [TreeChild] {
        do {
            return try naming("read the directory /\(String(decoding: path.dropFirst(), as: UTF8.self))") {
                try tree.children(of: node)
            }
        } catch is TreeChanged {
            return []
        }
    }

    private mutating func compare(_ left: TreeNode, _ right: TreeNode, _ path: [UInt8]) throws {
        if isSameChain, left.upper == nil, right.upper == nil, left.lower == right.lower { return }
        guard left.isDirectory, right.isDirectory else {
            guard try isChanged(left, right, path) else { return }
            try change(.changed, path, left.attributes.size, right.attributes.size)
            if right.isDirectory { try addChildren(of: right, path) }
            return
        }
        if try attributesDiffer(left, right) {
            try change(.changed, path, 0, 0)
            try compareChildren(left, right, path)
        } else {
            let depth = pending.count
            pending.append(path)
            try compareChildren(left, right, path)
            if pending.count > depth { pending.removeLast() }
        }
    }

    private mutating func deleted(_ node: TreeNode, _ path: [UInt8]) throws {
        // What was in it goes without saying.
        try change(.deleted, path, node.attributes.size, 0)
    }

    private mutating func added(_ node: TreeNode, _ path: [UInt8]) throws {
        try change(.added, path, 0, node.attributes.size)
        if node.isDirectory { try addChildren(of: node, path) }
    }

    private mutating func addChildren(of node: TreeNode, _ path: [UInt8]) throws {
        for child in try children(of: node, in: new, path) {
            try added(child.node, path + [0x2f] + child.name)
        }
    }

    private mutating func change(_ kind: Change.Kind, _ path: [UInt8], _ old: UInt64, _ new: UInt64) throws {
        for directory in pending {
            try report(Change(kind: .changed, path: directory, size: 0, difference: 0))
        }
        pending.removeAll(keepingCapacity: true)
        let difference = Int64(clamping: new).subtractingReportingOverflow(Int64(clamping: old)).partialValue
        try report(Change(kind: kind, path: path, size: kind == .deleted ? old : new, difference: difference))
    }

    private func attributesDiffer(_ left: TreeNode, _ right: TreeNode) throws -> Bool {
        try left.attributes != right.attributes || old.xattrs(of: left) != new.xattrs(of: right)
    }

    /// Of two that are not both directories.
    private func isChanged(_ left: TreeNode, _ right: TreeNode, _ path: [UInt8]) throws -> Bool {
        // Against its own image, what is in the upper at all is changed.
        if isSameChain, (left.upper == nil) != (right.upper == nil) { return true }
        if try attributesDiffer(left, right) { return true }
        if left.attributes.isSymlink { return try old.target(of: left) != new.target(of: right) }
        guard left.attributes.isRegular, left.attributes.size > 0 else { return false }
        if let place = try old.place(of: left), try place == new.place(of: right) { return false }
        do {
            return try naming("read /\(String(decoding: path.dropFirst(), as: UTF8.self))") {
                try buffers.differ(old.open(left), new.open(right))
            }
        } catch is TreeChanged {
            return true
        }
    }
}

/// Two pieces of memory to compare files in.
final class CompareBuffers {
    private let left = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)
    private let right = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)

    deinit {
        left.deallocate()
        right.deallocate()
    }

    func differ(_ one: TreeFile, _ other: TreeFile) throws -> Bool {
        var offset: UInt64 = 0
        while true {
            let count = try one.read(into: left, at: offset)
            guard try other.read(into: right, at: offset) == count else { return true }
            if count == 0 { return false }
            guard let a = left.baseAddress, let b = right.baseAddress, memcmp(a, b, count) == 0 else {
                return true
            }
            offset += UInt64(count)
        }
    }
}
