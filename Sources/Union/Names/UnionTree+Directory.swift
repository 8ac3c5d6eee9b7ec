package import Linux
package import Nodes
import Overlay

import CLinux
import Glibc
import SystemPackage

extension UnionTree {
    /// Lists a directory from the position `offset`, 0 at first, until `body` returns false.
    ///
    /// `.` and `..` come first, then the names, in an order that never changes (`NamePosition`): names that are not
    /// changed meanwhile are neither lost nor doubled, and no name comes twice. The last name's `next` is behind
    /// whatever is made later.
    /// With `isCounting`, each entry that `body` accepts, except `.` and `..`, has one reference counted.
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
            return try listLower(inode, from: offset, isCounting: isCounting, body)
        }
        if offset == 0 { noteAccess(to: node) }
        guard let start = NamePosition(offset: max(offset, NamePosition.firstOffset)) else { return }
        var below: (directory: UInt32, order: NameOrder, isCached: Bool)?
        if let merged = names.locked({ node.isDirectory ? node.lower : nil }) {
            // Not under the lock, which it would hold for long.
            try lower.prepareEntries(of: merged)
            let (order, isCached) = try lowerOrders.order(of: merged, in: lower)
            below = (merged, order, isCached)
        }
        let held = names.lock()
        defer { names.unlock() }
        guard node.isDirectory else { throw .system(.notDirectory) }
        guard try dots(offset, self: node.id, parent: node.parent?.id ?? node.id, body) else { return }
        guard !node.isOrphan else { return }
        // The lower directory may be hidden by now; no other can take its place.
        if node.lower == nil { below = nil }
        let isDone = try listMerged(held, node, below?.order, from: start) {
            (listed, found) throws(FSError) in
            guard try body(listed) else { return false }
            guard isCounting else { return true }
            switch found {
            case .lower(let inode): _ = table.count(lower: inode)
            case .upper(let child): child.lookups += 1
            }
            return true
        }
        guard let below else { return }
        if isDone, below.isCached { lowerOrders.drop(below.directory) }
        if !isDone, !below.isCached { lowerOrders.cache(below.order, of: below.directory) }
    }

    /// Passes on that a directory was read, because its listing comes from memory: the upper's filesystem decides
    /// whether that changes its access time.
    private func noteAccess(to node: Node) {
        guard upper?.keepsDirectoryTimes == false, node.isDirectory else { return }
        let held = names.lock()
        defer { names.unlock() }
        guard !node.isOrphan, let fd = try? directory(held, node),
            let open = try? fd.fd.open(.dot, O_RDONLY | O_DIRECTORY)
        else { return }
        _ = open.use { clinux_touch_directory($0) }
    }

    /// False when `body` returned false.
    private func dots(
        _ offset: UInt64,
        self id: UInt64,
        parent: UInt64,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError) -> Bool {
        for (position, (name, id)) in [(".", id), ("..", parent)].enumerated()
        where UInt64(position) >= offset {
            // The kernel uses the number and the type only.
            let attributes = Attributes(id: id, ino: ino(of: id), mode: S_IFDIR, nlink: 2)
            let isWanted = try FileName(name).withBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) in
                try body(ListedEntry(name: bytes, attributes: attributes, next: UInt64(position) + 1))
            }
            guard isWanted else { return false }
        }
        return true
    }

    // MARK: - Only in the lower

    private func listLower(
        _ directory: UInt32,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError) {
        guard let start = NamePosition(offset: max(offset, NamePosition.firstOffset)) else { return }
        let (order, isCached) = try lowerOrders.order(of: directory, in: lower)
        var cursor = ListingCursor(lower: order, upper: NameOrder(), from: start)
        var next = cursor.next()
        while let (position, source) = next {
            guard case .lower(let slot) = source else { return }
            next = cursor.next()
            let offset = next.map { position.offset(before: $0.position) } ?? NamePosition.endOffset
            var isWanted = true
            _ = try lower.forEachEntry(of: directory, from: UInt64(slot)) { (entry) throws(FSError) in
                let attributes = try attributes(lower: entry.inode)
                isWanted = try body(ListedEntry(name: entry.name, attributes: attributes, next: offset))
                if isWanted, isCounting { count(lower: entry.inode) }
                return false
            }
            guard isWanted else {
                if !isCached { lowerOrders.cache(order, of: directory) }
                return
            }
        }
        if isCached { lowerOrders.drop(directory) }
    }

    // MARK: - Under the lock of names

    /// False when `body` returned false.
    private func listMerged(
        _ held: HeldNames,
        _ node: Node,
        _ below: NameOrder?,
        from start: NamePosition,
        _ body: (ListedEntry, Resolved) throws(FSError) -> Bool
    ) throws(FSError) -> Bool {
        // Resolving makes nodes, which the listing remembers; no name comes or goes.
        let listing = try listing(held, of: node)
        var cursor = ListingCursor(lower: below ?? NameOrder(), upper: listing.ordered(), from: start)
        func pass(_ shown: Shown, _ next: UInt64) throws(FSError) -> Bool {
            let attributes: Attributes
            switch shown.found {
            case .lower(let inode): attributes = try self.attributes(lower: inode, held)
            case .upper(let child): attributes = try self.attributes(held, of: child)
            }
            return try shown.name.withBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) in
                try body(ListedEntry(name: bytes, attributes: attributes, next: next), shown.found)
            }
        }
        // A name's offset depends on the next name, so each is passed once that is known.
        var last: Shown?
        while let (position, source) = cursor.next() {
            let shown: Shown?
            do throws(FSError) {
                shown = try show(held, source, position, in: node, listing)
            } catch {
                // The name found before is passed in any case.
                if let last { _ = try pass(last, last.position.offset(before: nil)) }
                throw error
            }
            guard let shown else { continue }
            if let last, try !pass(last, last.position.offset(before: position)) { return false }
            last = shown
        }
        guard let last else { return true }
        return try pass(last, NamePosition.endOffset)
    }

    private struct Shown {
        let position: NamePosition
        let name: FileName
        let found: Resolved
    }

    /// Resolves a name; nil where it is hidden or gone, or comes from the other source.
    private func show(
        _ held: HeldNames,
        _ source: ListingCursor.Source,
        _ position: NamePosition,
        in node: Node,
        _ listing: Listing
    ) throws(FSError) -> Shown? {
        let name: FileName
        switch source {
        case .lower(let slot):
            guard let merged = node.lower else { return nil }
            var found: FileName?
            _ = try lower.forEachEntry(of: merged, from: UInt64(slot)) { (entry) throws(FSError) in
                found = FileName(entry.name)
                return false
            }
            guard let found else { return nil }
            name = found
        case .upper(let number):
            guard let entry = listing.entry(number), try lowerEntry(entry, in: node) == nil else {
                return nil
            }
            name = entry
        }
        return try resolve(held, name, in: node).map { Shown(position: position, name: name, found: $0) }
    }
}
