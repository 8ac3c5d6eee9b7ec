/// The names in one upper directory, whiteouts included. Complete from the moment it exists: nobody else writes.
///
/// A name keeps its sequence number as long as it exists, so that a reader of the directory can go on behind the
/// last name it got, whatever was created or deleted meanwhile.
final class Listing {
    enum Kind { case entry, whiteout }

    // One column each, so that a look at one of them touches no other. Ascending by sequence; a name is nil where it is
    // gone.
    private var names: [FileName?] = []
    private var kinds: [Kind] = []
    private var sequences: [UInt64] = []
    /// What they lead to, once somebody looked.
    private var nodes: [Node?] = []
    private var positions = PositionTable()
    private var nextSequence: UInt64 = 0
    private var gone = 0
    private(set) var entryCount = 0
    /// Entries that are directories: some filesystems don't say it by the link count.
    var subdirectories: UInt32 = 0

    /// Where a name is in the columns, until the next change.
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

    /// Says what a name is from now on. What it leads to is not known.
    func set(_ name: FileName, _ kind: Kind) {
        if let position = position(name) {
            guard kinds[position] != kind else {
                nodes[position] = nil
                return
            }
            // An entry that replaces a whiteout is new to readers: it gets a number behind them all.
            remove(name)
        }
        positions.insert(names.count, name.hashValue)
        names.append(name)
        kinds.append(kind)
        sequences.append(nextSequence)
        nodes.append(nil)
        nextSequence += 1
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
        for position in names.indices {
            guard let name = names[position] else { continue }
            positions.insert(kept, name.hashValue)
            names[kept] = name
            kinds[kept] = kinds[position]
            sequences[kept] = sequences[position]
            nodes[kept] = nodes[position]
            kept += 1
        }
        names.removeLast(gone)
        kinds.removeLast(gone)
        sequences.removeLast(gone)
        nodes.removeLast(gone)
        gone = 0
    }

    /// Entries (not whiteouts) with a sequence of at least `sequence`, ascending, until `body` returns false.
    func forEachEntry<E: Error>(
        from sequence: UInt64,
        _ body: (FileName, UInt64) throws(E) -> Bool
    ) throws(E) {
        var low = 0
        var high = names.count
        while low < high {
            let middle = (low + high) / 2
            if sequences[middle] < sequence { low = middle + 1 } else { high = middle }
        }
        for position in low..<names.count {
            guard let name = names[position], kinds[position] == .entry else { continue }
            guard try body(name, sequences[position]) else { return }
        }
    }

    var isEmpty: Bool { names.count == gone }
}
