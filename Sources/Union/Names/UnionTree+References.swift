package import Nodes

import Glibc
import Linux
import Overlay
import Synchronization
import SystemPackage

/// The kernel's references to nodes, and when nodes are dropped.
extension UnionTree {
    /// Takes back references. In batches: not one by one, because each time a thread that changes names would wait,
    /// and not all at once, which may be very many.
    package func forget(_ references: [References]) {
        for start in stride(from: 0, to: references.count, by: 256) {
            forget(references[start..<min(start + 256, references.count)])
        }
    }

    private func forget(_ references: ArraySlice<References>) {
        let references = table.forget(references)
        guard !references.isEmpty else { return }
        // Freeing a large file's blocks takes long, so not under the lock.
        var unused: [Node] = []
        let held = names.lock()
        for given in references {
            guard let node = table.find(given.node) else { continue }
            node.lookups -= min(given.count, node.lookups)
            dropIfUnused(held, node) { unused.append($0) }
        }
        if !unused.isEmpty { leavingCount += 1 }
        names.unlock()
        guard !unused.isEmpty else { return }
        for node in unused where node.heldFile == nil { removeOrphan(node) }
        unused = []
        names.locked { leavingCount -= 1 }
    }

    /// Whether room is about to come back: files are being freed right now, or the kernel still refers to a file
    /// that was removed within the last `nanoseconds`. It gives its references back after the reply, unless the file
    /// is open.
    package func mayGainRoom(within nanoseconds: UInt64) -> Bool {
        names.locked {
            leavingCount > 0 || orphanCount > 0 && UnionTree.now &- lastRemoval < nanoseconds
        }
    }

    private static var now: UInt64 { UInt64(KernelClock.now(CLOCK_MONOTONIC)) }

    /// Regular files of the upper that have a name and that the kernel refers to. What remains in the kernel's
    /// write-back cache can only be data of theirs.
    package var referencedFiles: [UInt64] {
        names.locked {
            table.all.filter { $0.isRegular && $0.isReferenced && !$0.isOrphan }.map(\.id)
        }
    }

    /// Counts a reference to a lower inode, which another thread may be copying up right now.
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

    /// The same, with attributes, where the caller does not hold the lock.
    func reference(lower inode: UInt32) throws(FSError) -> Attributes {
        if table.find(NodeID.lower(inode)) == nil {
            let attributes = try attributes(lower: inode)
            if upper == nil || table.count(lower: inode) { return attributes }
        }
        let held = names.lock()
        defer { names.unlock() }
        return try reference(held, table.find(NodeID.lower(inode)).map { .upper($0) } ?? .lower(inode))
    }

    // MARK: - Under the lock of names

    /// Attributes for the kernel, with one reference counted.
    func reference(_ held: HeldNames, _ found: Resolved) throws(FSError) -> Attributes {
        switch found {
        case .lower(let inode):
            let attributes = try attributes(lower: inode, held)
            if upper != nil { _ = table.count(lower: inode) }
            return attributes
        case .upper(let node):
            let attributes = try attributes(held, of: node)
            node.lookups += 1
            return attributes
        }
    }

    /// Drops a node if nothing refers to it. `remove` receives an orphan whose file is to be deleted; without it,
    /// the file is deleted here.
    func dropIfUnused(_ held: HeldNames, _ node: Node, _ remove: ((Node) -> Void)? = nil) {
        guard isUnused(held, node) else { return }
        // The directory that the node is in may be unused then, and so on upwards: in a loop, because a tree is as
        // deep as the container makes it.
        let isFirst = left == nil
        if isFirst { left = [] }
        drop(held, node, remove)
        guard isFirst else { return }
        while let directory = left?.popLast() { if isUnused(held, directory) { drop(held, directory) } }
        left = nil
    }

    private func isUnused(_ held: HeldNames, _ node: Node) -> Bool {
        node.lookups == 0 && node.children == 0 && (node.isOrphan || !node.isPinned)
    }

    private func drop(_ held: HeldNames, _ node: Node, _ remove: ((Node) -> Void)? = nil) {
        if !node.isOrphan { forgotten.note(node) }
        discard(held, node)
        if !node.isOrphan, let status = node.shown.withLock({ $0.status }) {
            forgottenStatuses.add(status, of: node.id)
        }
        if node.isOrphan {
            orphanCount -= 1
            if node.heldFile != nil { heldCount -= 1 }
            if let remove { remove(node) } else if node.heldFile == nil { removeOrphan(node) }
        }
        leaveAll(held, node)
    }

    /// Takes a node out of all tables. Its number means nothing from then on.
    func discard(_ held: HeldNames, _ node: Node) {
        table.remove(node)
        if !unmarked.isEmpty { unmarked = unmarked.filter { $0.value !== node } }
        files.remove(node.id)
        directories.close(held, node)
    }

    // MARK: - Names

    func place(_ held: HeldNames, _ node: Node, _ name: FileName, in parent: Node) {
        forgotten.remove(node.id)
        guard node.parent !== parent || node.name != name else { return }
        parent.children += 1
        if let old = node.parent { detach(held, node, node.name, from: old) }
        node.parent = parent
        node.name = name
        parent.listing?.remember(node, name)
    }

    /// Records that a name leads to a node, where that may be unknown.
    func note(_ held: HeldNames, _ node: Node, _ name: FileName, in directory: Node) {
        directory.listing?.remember(node, name)
        if node.parent === directory, node.name == name { return }
        guard node.other(name, in: directory) == nil else { return }
        directory.children += 1
        node.others.append((directory, name))
    }

    /// The same for a new node, with names that are known to differ.
    func note(_ held: HeldNames, new node: Node, _ name: FileName, in directory: Node) {
        directory.listing?.remember(node, name)
        if node.parent === directory, node.name == name { return }
        directory.children += 1
        node.others.append((directory, name))
    }

    /// Whether this is the only known name of a node.
    func isOnlyKnown(_ held: HeldNames, _ name: FileName, in directory: Node, of node: Node) -> Bool {
        node.parent === directory && node.name == name && node.others.isEmpty
    }

    /// Records that a name, one of several perhaps, no longer leads to a node.
    func leave(_ held: HeldNames, _ node: Node, _ name: FileName, in directory: Node) {
        if node.parent === directory, node.name == name {
            let next = node.others.popLast()
            node.parent = next?.parent
            if let next { node.name = next.name }
        } else if let other = node.other(name, in: directory) {
            node.others.swapAt(other, node.others.endIndex - 1)
            node.others.removeLast()
        } else {
            return
        }
        detach(held, node, name, from: directory)
    }

    /// Records that a name of a node became another.
    func relocate(
        _ held: HeldNames,
        _ node: Node,
        _ name: FileName,
        in directory: Node,
        to newName: FileName,
        in newDirectory: Node
    ) {
        if node.parent === directory, node.name == name {
            return place(held, node, newName, in: newDirectory)
        }
        note(held, node, newName, in: newDirectory)
        leave(held, node, name, in: directory)
    }

    func leaveAll(_ held: HeldNames, _ node: Node) {
        while let parent = node.parent { leave(held, node, node.name, in: parent) }
    }

    private func detach(_ held: HeldNames, _ node: Node, _ name: FileName, from directory: Node) {
        directory.listing?.forget(node, name)
        directory.children -= 1
        if left == nil { dropIfUnused(held, directory) } else { left?.append(directory) }
    }

    // MARK: - Orphans

    /// Makes a node an orphan. `name`: in work/orphans, unless `heldFile` keeps the file alive.
    func becomeOrphan(_ held: HeldNames, _ node: Node, _ name: FileName, heldFile: OpenFile? = nil) {
        leaveAll(held, node)
        node.isOrphan = true
        node.name = name
        node.heldFile = heldFile
        orphanCount += 1
        lastRemoval = UnionTree.now
        if heldFile != nil { heldCount += 1 }
        guard node.isDirectory else { return }
        node.lower = nil
        node.listing = Listing()
    }

    /// Gives a name to an orphan, or to a node whose last known name went.
    func adopt(_ held: HeldNames, _ node: Node, _ name: FileName, in directory: Node) {
        orphanCount -= 1
        if node.heldFile == nil { removeOrphan(node) } else { heldCount -= 1 }
        node.heldFile = nil
        node.isOrphan = false
        place(held, node, name, in: directory)
    }

    /// Any number of threads may do this at once: a name in work/orphans is used once.
    private func removeOrphan(_ node: Node) {
        guard let upper else { return }
        // Where this fails, the next mount sweeps the file with the work directory.
        if node.isDirectory {
            try? upper.orphans.fd.removeDirectory(node.name)
        } else {
            try? upper.orphans.fd.unlink(node.name)
        }
    }
}

extension Node {
    fileprivate func other(_ name: FileName, in directory: Node) -> Int? {
        others.firstIndex { $0.parent === directory && $0.name == name }
    }
}
