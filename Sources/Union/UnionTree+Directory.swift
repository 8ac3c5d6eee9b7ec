package import Linux

import CLinux
import Glibc
import SystemPackage

/// A name that a directory shows.
package struct ListedEntry {
    /// Lives only during the call it is passed to.
    package let name: UnsafeRawBufferPointer
    package let attributes: Attributes
    /// Where to go on behind this entry.
    package let next: UInt64
}

extension UnionTree {
    private static let firstLower: UInt64 = 2
    private static let firstUpper: UInt64 = 1 << 40

    /// Lists a directory from the position `offset`, 0 at first, until `body` returns false.
    ///
    /// Positions: `.` and `..`, then the lower's names by slot, then the names that only the upper has by age.
    /// A name keeps its position while it exists, so what is not touched is neither lost nor doubled.
    /// With `isCounting`, each entry that `body` accepts, but `.` and `..`, has one reference counted.
    package func list(
        _ id: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError) {
        guard let node = table.find(id) else {
            let inode = try lowerInode(id)
            let record = try lower.inode(inode)
            guard record.isDirectory else { throw .system(.notDirectory) }
            guard try dots(offset, self: NodeID.lower(inode), parent: NodeID.lower(record.parent), body)
            else { return }
            _ = try listLower(inode, from: offset, isLocked: false) { (entry) throws(FSError) in
                .lower(entry.inode)
            } _: { (listed, found) throws(FSError) in
                guard try body(listed) else { return false }
                if isCounting, case .lower(let inode) = found { count(lower: inode) }
                return true
            }
            return
        }
        if offset == 0 { noteAccess(to: node) }
        if let merged = names.locked({ node.isDirectory ? node.lower : nil }) {
            // Not under the lock: what takes long would take as long for everybody.
            try lower.prepareEntries(of: merged)
        }
        names.lock()
        defer { names.unlock() }
        guard node.isDirectory else { throw .system(.notDirectory) }
        guard try dots(offset, self: node.id, parent: node.parent?.id ?? node.id, body) else { return }
        guard !node.isOrphan else { return }
        let listing = try listing(of: node)
        func pass(_ listed: ListedEntry, _ found: Resolved) throws(FSError) -> Bool {
            guard try body(listed) else { return false }
            guard isCounting else { return true }
            switch found {
            case .lower(let inode): _ = table.count(lower: inode)
            case .upper(let child): child.lookups += 1
            }
            return true
        }
        if offset < Self.firstUpper, let merged = node.lower {
            let isDone = try listLower(merged, from: offset, isLocked: true) {
                (entry) throws(FSError) in
                try resolve(FileName(entry.name), in: node)
            } _: { (listed, found) throws(FSError) in
                try pass(listed, found)
            }
            guard isDone else { return }
        }
        let first = offset < Self.firstUpper ? 0 : offset - Self.firstUpper
        // Resolving makes nodes, which the listing remembers; no name comes or goes.
        var failure: FSError?
        listing.forEachEntry(from: first) { name, sequence in
            do throws(FSError) {
                guard try lowerEntry(name, in: node) == nil, let found = try resolve(name, in: node) else {
                    return true
                }
                let attributes = try attributes(of: found)
                return try name.withBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) in
                    try pass(
                        ListedEntry(
                            name: bytes,
                            attributes: attributes,
                            next: Self.firstUpper + sequence + 1
                        ),
                        found
                    )
                }
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
    }

    /// Somebody reads a directory, which is read from memory: whether that is when it was read last, the upper's filesystem
    /// decides.
    private func noteAccess(to node: Node) {
        guard upper?.keepsDirectoryTimes == false, node.isDirectory else { return }
        names.lock()
        defer { names.unlock() }
        guard !node.isOrphan, let fd = try? directory(node),
            let open = try? fd.fd.open(FileName("."), O_RDONLY | O_DIRECTORY)
        else { return }
        _ = open.use { clinux_touch_directory($0) }
    }

    private func attributes(of found: Resolved) throws(FSError) -> Attributes {
        switch found {
        case .lower(let inode): try attributes(lower: inode, isLocked: true)
        case .upper(let node): try attributes(of: node)
        }
    }

    /// False when `body` wants no more.
    private func dots(
        _ offset: UInt64,
        self id: UInt64,
        parent: UInt64,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError) -> Bool {
        for (position, (name, id)) in [(".", id), ("..", parent)].enumerated()
        where UInt64(position) >= offset {
            // The kernel uses number and type only.
            let attributes = Attributes(directory: id, ino: ino(of: id))
            let isWanted = try FileName(name).withBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) in
                try body(ListedEntry(name: bytes, attributes: attributes, next: UInt64(position) + 1))
            }
            guard isWanted else { return false }
        }
        return true
    }

    /// The lower's part. `resolve` says what an entry is now, nil if it is hidden.
    private func listLower(
        _ directory: UInt32,
        from offset: UInt64,
        isLocked: Bool,
        _ resolve: (LowerEntry) throws(FSError) -> Resolved?,
        _ body: (ListedEntry, Resolved) throws(FSError) -> Bool
    ) throws(FSError) -> Bool {
        let skipped = offset > Self.firstLower ? offset - Self.firstLower : 0
        return try lower.forEachEntry(of: directory, from: skipped) { (entry) throws(FSError) in
            guard let found = try resolve(entry) else { return true }
            let attributes: Attributes
            switch found {
            case .lower(let inode): attributes = try self.attributes(lower: inode, isLocked: isLocked)
            case .upper(let node): attributes = try self.attributes(of: node)
            }
            let next = Self.firstLower + entry.next
            return try body(ListedEntry(name: entry.name, attributes: attributes, next: next), found)
        }
    }
}
