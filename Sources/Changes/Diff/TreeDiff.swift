import Layers
import Linux
import SystemPackage

import Glibc

/// Compares two trees name by name, as one walk through both in name order.
///
/// A directory that both sides have from the same place is not entered, so a container is compared with its
/// image at a cost that grows with what it changed. A name that an upper has counts as changed even where
/// nothing differs, as in docker; so does a directory in which something changed.
package struct TreeDiff {
    private let old: MergedTree
    private let new: MergedTree
    /// The same index: the same inode number is the same file.
    private let isSameChain: Bool
    private let report: (Change) throws -> Void
    /// Both sides of a directory that is being walked through: what is still to be compared, by name.
    private struct Place {
        var left: ArraySlice<TreeChild> = []
        var right: ArraySlice<TreeChild> = []
        /// Where they are open, as far as they are in an upper.
        var leftDirectory: WayDirectory?
        var rightDirectory: WayDirectory?
        /// Bytes of `path` that are this directory's.
        let length: Int

        /// The first name that is left, on both sides if both have it.
        mutating func next() -> (left: TreeChild?, right: TreeChild?) {
            guard let one = left.first, let other = right.first else {
                return (left.popFirst(), right.popFirst())
            }
            if one.name == other.name { return (left.popFirst(), right.popFirst()) }
            return one.name.lexicographicallyPrecedes(other.name)
                ? (left.popFirst(), nil) : (nil, right.popFirst())
        }
    }

    /// From the root down to where the walk is.
    private var places: [Place] = []
    private let leftWay = DirectoryWay()
    private let rightWay = DirectoryWay()
    /// Of what is being compared: absolute.
    private var path: [UInt8] = []
    /// Directories on the way down that are equal so far, by the lengths of their paths: reported once something in them
    /// is not.
    private var pending: [Int] = []
    private let buffers: CompareBuffers

    package init(from old: MergedTree, to new: MergedTree, report: @escaping (Change) throws -> Void) {
        self.old = old
        self.new = new
        self.report = report
        isSameChain = old.chain.path == new.chain.path
        buffers = CompareBuffers()
    }

    package mutating func run() throws {
        // The root has no name that could be reported.
        try enter(old.root, new.root)
        while !places.isEmpty {
            let depth = places.count - 1
            let next = places[depth].next()
            path.removeSubrange(places[depth].length...)
            guard let name = next.left?.name ?? next.right?.name else {
                try leave()
                continue
            }
            path.append(0x2f)
            path += name
            if let left = next.left?.node, let right = next.right?.node {
                try compare(left, right)
            } else if let left = next.left?.node {
                // What was in it goes without saying.
                try change(.deleted, left.attributes.size, 0)
            } else if let right = next.right?.node {
                try change(.added, 0, right.attributes.size)
                if right.isDirectory { try enter(nil, right) }
            }
        }
    }

    /// Begins with the directory at `path`.
    private mutating func enter(_ left: TreeNode?, _ right: TreeNode) throws {
        var place = Place(length: path.count)
        if let left { (place.left, place.leftDirectory) = try children(of: left, in: old) }
        (place.right, place.rightDirectory) = try children(of: right, in: new)
        leftWay.enter(place.leftDirectory)
        rightWay.enter(place.rightDirectory)
        places.append(place)
    }

    private mutating func leave() throws {
        let place = places.removeLast()
        if pending.last == place.length { pending.removeLast() }
        try leftWay.leave(place.leftDirectory, named: printable)
        try rightWay.leave(place.rightDirectory, named: printable)
    }

    /// A directory that is gone meanwhile has nothing in it.
    private func children(
        of node: TreeNode,
        in tree: MergedTree
    ) throws -> (ArraySlice<TreeChild>, WayDirectory?) {
        do {
            let (children, directory) = try naming("read the directory \(printable)") {
                try tree.children(of: node)
            }
            return (children[...], directory)
        } catch is TreeChanged {
            return ([], nil)
        }
    }

    private var printable: String { "/" + String(decoding: path.dropFirst(), as: UTF8.self) }

    private mutating func compare(_ left: TreeNode, _ right: TreeNode) throws {
        if isSameChain, left.upper == nil, right.upper == nil, left.lower == right.lower { return }
        guard left.isDirectory, right.isDirectory else {
            guard try isChanged(left, right) else { return }
            try change(.changed, left.attributes.size, right.attributes.size)
            if right.isDirectory { try enter(nil, right) }
            return
        }
        if try attributesDiffer(left, right) {
            try change(.changed, 0, 0)
        } else {
            pending.append(path.count)
        }
        try enter(left, right)
    }

    private mutating func change(_ kind: Change.Kind, _ old: UInt64, _ new: UInt64) throws {
        for length in pending {
            try report(Change(kind: .changed, path: Array(path[..<length]), size: 0, difference: 0))
        }
        pending.removeAll(keepingCapacity: true)
        let difference = Int64(clamping: new).subtractingReportingOverflow(Int64(clamping: old)).partialValue
        try report(Change(kind: kind, path: path, size: kind == .deleted ? old : new, difference: difference))
    }

    private func attributesDiffer(_ left: TreeNode, _ right: TreeNode) throws -> Bool {
        try left.attributes != right.attributes || old.xattrs(of: left) != new.xattrs(of: right)
    }

    /// Of two that are not both directories.
    private func isChanged(_ left: TreeNode, _ right: TreeNode) throws -> Bool {
        // Against its own image, what is in the upper at all is changed.
        if isSameChain, (left.upper == nil) != (right.upper == nil) { return true }
        if try attributesDiffer(left, right) { return true }
        if left.attributes.isSymlink { return try old.target(of: left) != new.target(of: right) }
        guard left.attributes.isRegular, left.attributes.size > 0 else { return false }
        if let place = try old.place(of: left), try place == new.place(of: right) { return false }
        do {
            return try naming("read \(printable)") {
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
