import Linux
import Nodes

/// Finds nodes by their numbers alone, which is all that a file handle (name_to_handle_at(2)) holds when the kernel
/// has forgotten the rest. The kernel sends LOOKUP of `.` and `..` in any node.
extension UnionTree {
    /// The node `id`, for `.`, or its parent, for `..`, with one reference counted; nil where there is no such node
    /// any more, or no parent.
    func lookup(dots count: Int, of id: UInt64) throws(FSError) -> Attributes? {
        guard upper != nil else {
            let inode = try lowerInode(id)
            return try reference(lower: count == 1 ? inode : lower.inode(inode).parent)
        }
        while true {
            let held = names.lock()
            defer { names.unlock() }
            guard let found = try count == 1 ? find(held, id) : findParent(held, of: id) else { return nil }
            guard case .lower(let inode) = found, !lower.isReady(inode) else {
                return try reference(held, found)
            }
            // Reads the inode without the lock, which it would hold for long.
            names.unlock()
            defer { names.lock() }
            _ = try lower.inode(inode)
        }
    }

    // MARK: - Under the lock of names

    private func findParent(_ held: HeldNames, of id: UInt64) throws(FSError) -> Resolved? {
        switch try find(held, id) {
        case nil: return nil
        case .lower(let inode): return try find(held, NodeID.lower(lower.inode(inode).parent))
        case .upper(let node): return .upper(node.parent ?? node)
        }
    }

    private func find(_ held: HeldNames, _ id: UInt64) throws(FSError) -> Resolved? {
        // Up to a known node, then down again along the recorded places.
        var path: [(id: UInt64, key: UInt64)] = []
        var top = id
        while table.find(top) == nil, let place = forgotten[top] {
            // Stale places may form a circle.
            guard path.count < 1 << 20 else { return nil }
            path.append((top, place.key))
            top = place.directory
        }
        var found = try findKnown(held, top)
        while let (id, key) = path.popLast() {
            guard case .upper(let directory) = found, directory.isDirectory, !directory.isOrphan else {
                return nil
            }
            found = try find(held, id, key, in: directory)
            // The directory's node may have been made for this lookup only.
            guard found != nil else {
                dropIfUnused(held, directory)
                return nil
            }
        }
        return found
    }

    private func find(_ held: HeldNames, _ id: UInt64, _ key: UInt64, in directory: Node) throws(FSError)
        -> Resolved?
    {
        for name in try listing(held, of: directory).entries(key) {
            let child = try node(held, name, in: directory)
            if child.id == id { return .upper(child) }
            dropIfUnused(held, child)
        }
        forgotten.remove(id)
        return nil
    }

    /// The same for a node whose place was not recorded.
    private func findKnown(_ held: HeldNames, _ id: UInt64) throws(FSError) -> Resolved? {
        if let node = table.find(id) { return .upper(node) }
        guard let inode = NodeID.lowerInode(id), lower.has(inode) else { return nil }
        // Wherever there is an upper, the root has a node.
        if try lower.inode(inode).isDirectory { return try position(held, of: inode) }
        for link in try lower.names(of: inode) {
            switch try position(held, of: link.directory) {
            case nil: continue
            case .lower: return .lower(inode)
            case .upper(let directory):
                switch try resolve(held, FileName(link.name), in: directory) {
                case .lower(inode): return .lower(inode)
                case .upper(let node) where node.id == id: return .upper(node)
                default: continue
                }
            }
        }
        return nil
    }
}
