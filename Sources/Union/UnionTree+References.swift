import Linux
import SystemPackage

/// What the kernel holds of nodes, and when they go.
extension UnionTree {
    /// The kernel gives back `count` references.
    package func forget(_ id: UInt64, _ count: UInt64) {
        guard !table.forget(id, count) else { return }
        // Freeing a large file's blocks takes its time: not under the lock.
        var unused: [Node] = []
        names.lock()
        if let node = table.find(id) {
            node.lookups -= min(count, node.lookups)
            dropIfUnused(node) { unused.append($0) }
        }
        names.unlock()
        for node in unused where node.kept == nil { removeOrphan(node) }
    }

    /// Counts a reference to a lower inode that somebody may be copying up just now.
    func count(lower inode: UInt32) {
        guard upper != nil, !table.count(lower: inode) else { return }
        names.lock()
        defer { names.unlock() }
        if let node = table.find(NodeID.lower(inode)) {
            node.lookups += 1
        } else {
            _ = table.count(lower: inode)
        }
    }

    /// The same for what is only in the lower, where nobody holds the lock.
    func reference(lower inode: UInt32) throws(FSError) -> Attributes {
        if table.find(NodeID.lower(inode)) == nil {
            let attributes = try attributes(lower: inode)
            if upper == nil || table.count(lower: inode) { return attributes }
        }
        names.lock()
        defer { names.unlock() }
        return try reference(table.find(NodeID.lower(inode)).map { .upper($0) } ?? .lower(inode))
    }

    // MARK: - Under the lock of names

    /// Attributes for the kernel, with one reference counted. Preconditions: `names` is locked.
    func reference(_ found: Resolved) throws(FSError) -> Attributes {
        switch found {
        case .lower(let inode):
            let attributes = try attributes(lower: inode, isLocked: true)
            if upper != nil { _ = table.count(lower: inode) }
            return attributes
        case .upper(let node):
            let attributes = try attributes(of: node)
            node.lookups += 1
            return attributes
        }
    }

    /// `remove` gets an orphan whose file is to be deleted; at once, where it is not given. Preconditions: `names` is
    /// locked.
    func dropIfUnused(_ node: Node, _ remove: ((Node) -> Void)? = nil) {
        guard node.lookups == 0, node.children == 0, node.isOrphan || !node.isPinned else { return }
        discard(node)
        if node.isOrphan {
            if node.kept != nil { heldCount -= 1 }
            if let remove { remove(node) } else if node.kept == nil { removeOrphan(node) }
        }
        leaveParent(node)
    }

    /// Its number means nothing from now on.
    func discard(_ node: Node) {
        table.remove(node)
        if !unmarked.isEmpty { unmarked = unmarked.filter { $0.value !== node } }
        files.remove(node.id)
        directories.remove(node.id)
    }

    func leaveParent(_ node: Node) {
        guard let parent = node.parent else { return }
        parent.listing?.forget(node, node.name)
        node.parent = nil
        parent.children -= 1
        dropIfUnused(parent)
    }

    func place(_ node: Node, _ name: FileName, in parent: Node) {
        guard node.parent !== parent || node.name != name else { return }
        parent.children += 1
        leaveParent(node)
        node.parent = parent
        node.name = name
    }

    // MARK: - Orphans

    /// A node that has no name any more. `name`: in work/orphans, unless it is `kept`.
    func becomeOrphan(_ node: Node, _ name: FileName, kept: OpenFile? = nil) {
        leaveParent(node)
        node.isOrphan = true
        node.name = name
        node.kept = kept
        if kept != nil { heldCount += 1 }
        guard node.isDirectory else { return }
        node.lower = nil
        node.listing = Listing()
    }

    /// A name for what was an orphan, or whose known name went: now this is the known one.
    func adopt(_ node: Node, _ name: FileName, in directory: Node) {
        if node.kept == nil { removeOrphan(node) } else { heldCount -= 1 }
        node.kept = nil
        node.isOrphan = false
        place(node, name, in: directory)
    }

    /// Any number of threads may do this at once: a name in work/orphans is used once.
    private func removeOrphan(_ node: Node) {
        guard let upper else { return }
        // What fails here is swept with the work directory at the next mount.
        if node.isDirectory {
            try? upper.orphans.removeDirectory(node.name)
        } else {
            try? upper.orphans.unlink(node.name)
        }
    }
}
