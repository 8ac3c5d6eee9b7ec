import Linux
import Nodes

/// The nodes by number, and the kernel's references to lower inodes that have no node.
final class NodeTable: @unchecked Sendable {
    // Safe to share: all is only touched under `lock`.
    private let lock = Lock()
    private var nodes = NumberMap<Node>()
    private var lowerLookups = LookupCounts()

    func find(_ id: UInt64) -> Node? {
        lock.lock()
        defer { lock.unlock() }
        return nodes[id]
    }

    /// In no order.
    var all: [Node] {
        lock.lock()
        defer { lock.unlock() }
        var all: [Node] = []
        nodes.forEach { all.append($0) }
        return all
    }

    /// Adds a node, with the references that were counted before it existed. Precondition: the union's lock of names
    /// is held.
    func insert(_ node: Node) {
        lock.lock()
        defer { lock.unlock() }
        nodes[node.id] = node
        guard let inode = NodeID.lowerInode(node.id) else { return }
        node.lookups += lowerLookups.take(inode)
    }

    func remove(_ node: Node) {
        lock.lock()
        defer { lock.unlock() }
        if nodes[node.id] === node { nodes[node.id] = nil }
    }

    /// Counts one reference to a lower inode. False, and nothing counted, where the inode has a node.
    func count(lower inode: UInt32) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        guard nodes[NodeID.lower(inode)] == nil else { return false }
        lowerLookups.add(inode)
        return true
    }

    /// Takes back references to inodes without a node, and returns the others untouched.
    func forget(_ references: ArraySlice<References>) -> [References] {
        lock.lock()
        defer { lock.unlock() }
        return references.filter {
            guard nodes[$0.node] == nil else { return true }
            if let inode = NodeID.lowerInode($0.node) { lowerLookups.subtract($0.count, from: inode) }
            return false
        }
    }
}

/// How many references the kernel has to each lower inode. The numbers are dense, but a mount may see few of many,
/// so they are counted in pages that are made when first needed.
private struct LookupCounts {
    /// A page is empty where nothing was counted.
    private var pages: [[UInt32]] = []
    private static let pageSize = 1024

    mutating func add(_ inode: UInt32) {
        let (page, index) = place(inode)
        while pages.count <= page { pages.append([]) }
        if pages[page].isEmpty { pages[page] = Array(repeating: 0, count: Self.pageSize) }
        // A count that reached its maximum is never given up.
        if pages[page][index] < .max { pages[page][index] += 1 }
    }

    mutating func subtract(_ count: UInt64, from inode: UInt32) {
        let (page, index) = place(inode)
        guard page < pages.count, !pages[page].isEmpty, pages[page][index] < .max else { return }
        pages[page][index] -= UInt32(min(UInt64(pages[page][index]), count))
    }

    /// Returns an inode's count and clears it.
    mutating func take(_ inode: UInt32) -> UInt64 {
        let (page, index) = place(inode)
        guard page < pages.count, !pages[page].isEmpty else { return 0 }
        defer { pages[page][index] = 0 }
        return UInt64(pages[page][index])
    }

    private func place(_ inode: UInt32) -> (page: Int, index: Int) {
        (Int(inode) / Self.pageSize, Int(inode) % Self.pageSize)
    }
}
