import Linux

/// The nodes by number, and the kernel's references to what has none because it is only in the lower.
final class NodeTable: @unchecked Sendable {
    // Safe to share: all is only touched under `lock`.
    private let lock = Lock()
    private var nodes: [UInt64: Node] = [:]
    /// By number of the lower.
    private var lowerLookups: [UInt32: UInt64] = [:]

    func find(_ id: UInt64) -> Node? {
        lock.lock()
        defer { lock.unlock() }
        return nodes[id]
    }

    /// From now on it has the references that were counted before there was a node. Precondition: the union's lock
    /// of names is held.
    func insert(_ node: Node) {
        lock.lock()
        defer { lock.unlock() }
        nodes[node.id] = node
        guard let inode = NodeID.lowerInode(node.id) else { return }
        if let count = lowerLookups.removeValue(forKey: inode) { node.lookups += count }
    }

    func remove(_ node: Node) {
        lock.lock()
        defer { lock.unlock() }
        if nodes[node.id] === node { nodes[node.id] = nil }
    }

    /// Counts one reference to a lower inode. False, and nothing counted, where it has a node.
    func count(lower inode: UInt32) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        guard nodes[NodeID.lower(inode)] == nil else { return false }
        lowerLookups[inode, default: 0] += 1
        return true
    }

    /// Takes back references to what has no node. Returns those to what has one, with which nothing was done.
    func forget(_ references: ArraySlice<(node: UInt64, count: UInt64)>) -> [(node: UInt64, count: UInt64)] {
        lock.lock()
        defer { lock.unlock() }
        return references.filter { id, count in
            guard nodes[id] == nil else { return true }
            guard let inode = NodeID.lowerInode(id), let known = lowerLookups[inode] else { return false }
            lowerLookups[inode] = known > count ? known - count : nil
            return false
        }
    }
}
