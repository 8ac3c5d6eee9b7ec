import Linux

/// The names in one upper directory, whiteouts included. Complete from the start, because only this mount writes.
final class Listing {
    enum Kind { case entry, whiteout }

    // One column each, so that reading one touches no other. A removed name is nil.
    private var names: [FileName?] = []
    private var kinds: [Kind] = []
    /// The nodes that the names lead to, where they were looked up.
    private var nodes: [Node?] = []
    private var positions = PositionTable()
    private var gone = 0
    /// The order of the entries among the first `names` columns, once the directory was listed; some may be gone.
    private var order: (names: Int, order: NameOrder)?
    private(set) var entryCount = 0
    /// The number of entries that are directories, which the link count of some filesystems does not say.
    var subdirectories: UInt32 = 0

    /// The index of a name in the columns, valid until the next change.
    private func position(_ name: FileName) -> Int? {
        positions.find(name.hashValue) { names[$0] == name }
    }

    subscript(name: FileName) -> Kind? { position(name).map { kinds[$0] } }

    /// What a name is, and the node that it leads to, where that is known.
    func find(_ name: FileName) -> (kind: Kind, node: Node?)? {
        position(name).map { (kinds[$0], nodes[$0]) }
    }

    func remember(_ node: Node, _ name: FileName) {
        if let position = position(name) { nodes[position] = node }
    }

    func forget(_ node: Node, _ name: FileName) {
        if let position = position(name), nodes[position] === node { nodes[position] = nil }
    }

    /// Sets what a name is. The node that it leads to is unknown then.
    func set(_ name: FileName, _ kind: Kind) {
        if let position = position(name) {
            guard kinds[position] != kind else {
                nodes[position] = nil
                return
            }
            // An order has entries only, no whiteouts.
            remove(name)
        }
        positions.insert(names.count, name.hashValue)
        names.append(name)
        kinds.append(kind)
        nodes.append(nil)
        if kind == .entry { entryCount += 1 }
    }

    func remove(_ name: FileName) {
        guard let position = position(name) else { return }
        positions.remove(position, name.hashValue)
        if kinds[position] == .entry { entryCount -= 1 }
        names[position] = nil
        nodes[position] = nil
        gone += 1
        if gone > 64, gone > names.count / 2 { compact() }
    }

    private func compact() {
        var kept = 0
        positions = PositionTable()
        order = nil
        for position in names.indices {
            guard let name = names[position] else { continue }
            positions.insert(kept, name.hashValue)
            names[kept] = name
            kinds[kept] = kinds[position]
            nodes[kept] = nodes[position]
            kept += 1
        }
        names.removeLast(gone)
        kinds.removeLast(gone)
        nodes.removeLast(gone)
        gone = 0
    }

    /// Passes entries (not whiteouts) until `body` returns false.
    func forEachEntry<E: Error>(_ body: (FileName) throws(E) -> Bool) throws(E) {
        for position in names.indices {
            guard let name = names[position], kinds[position] == .entry else { continue }
            guard try body(name) else { return }
        }
    }

    /// The order in which entries are listed. Its numbers are for `entry`, and valid until the next change.
    func ordered() -> NameOrder {
        let known = order ?? (0, NameOrder())
        guard known.names < names.count else { return known.order }
        var added: [NameOrder.Element] = []
        for position in known.names..<names.count where kinds[position] == .entry {
            guard let name = names[position] else { continue }
            let key = name.withBytes { NamePosition.key(of: $0) }
            added.append(.init(key: key, number: UInt32(clamping: position)))
        }
        var merged = known.order
        merged.merge(added) { names[Int($0)] == nil }
        order = (names.count, merged)
        return merged
    }

    /// Entries whose names have this key: nearly always one.
    func entries(_ key: UInt64) -> [FileName] {
        let order = ordered()
        let first = order.first(key)
        return order.elements[first...].prefix { $0.key == key }.compactMap { entry($0.number) }
    }

    /// The entry of a number that `ordered` gave; nil where it is gone.
    func entry(_ number: UInt32) -> FileName? { names[Int(number)] }

    var isEmpty: Bool { names.count == gone }
}
