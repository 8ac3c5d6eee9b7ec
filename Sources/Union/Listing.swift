/// The names in one upper directory, whiteouts included. Complete from the moment it exists: nobody else writes.
///
/// A name keeps its sequence number as long as it exists, so that a reader of the directory can go on behind the
/// last name it got, whatever was created or deleted meanwhile.
final class Listing {
    enum Kind { case entry, whiteout }

    private struct Item {
        let name: FileName
        let kind: Kind
        let sequence: UInt64
        /// What it leads to, once somebody looked.
        var node: Node?
    }

    /// Ascending by sequence; nil where a name is gone.
    private var items: [Item?] = []
    private var positions: [FileName: Int] = [:]
    private var nextSequence: UInt64 = 0
    private var gone = 0
    private(set) var entryCount = 0

    subscript(name: FileName) -> Kind? {
        positions[name].flatMap { items[$0]?.kind }
    }

    /// The node that a name leads to, where that is known.
    func node(_ name: FileName) -> Node? { positions[name].flatMap { items[$0]?.node } }

    func remember(_ node: Node, _ name: FileName) {
        if let position = positions[name] { items[position]?.node = node }
    }

    func forget(_ node: Node, _ name: FileName) {
        if let position = positions[name], items[position]?.node === node { items[position]?.node = nil }
    }

    func set(_ name: FileName, _ kind: Kind) {
        if let position = positions[name], let old = items[position] {
            guard old.kind != kind else {
                items[position]?.node = nil
                return
            }
            // An entry that replaces a whiteout is new to readers: it gets a number behind them all.
            remove(name)
        }
        positions[name] = items.count
        items.append(Item(name: name, kind: kind, sequence: nextSequence, node: nil))
        nextSequence += 1
        if kind == .entry { entryCount += 1 }
    }

    func remove(_ name: FileName) {
        guard let position = positions.removeValue(forKey: name) else { return }
        if items[position]?.kind == .entry { entryCount -= 1 }
        items[position] = nil
        gone += 1
        if gone > 64, gone > items.count / 2 { compact() }
    }

    private func compact() {
        let kept = items.compactMap { $0 }
        items = kept
        gone = 0
        for (position, item) in kept.enumerated() { positions[item.name] = position }
    }

    /// Entries (not whiteouts) with a sequence of at least `sequence`, ascending, until `body` returns false.
    func forEachEntry<E: Error>(
        from sequence: UInt64,
        _ body: (FileName, UInt64) throws(E) -> Bool
    ) throws(E) {
        var low = 0
        var high = items.count
        // Gaps have no sequence of their own, but those around them do: skip to one that has.
        while low < high {
            let middle = (low + high) / 2
            var probe = middle
            while probe < high, items[probe] == nil { probe += 1 }
            if probe < high, let item = items[probe], item.sequence < sequence {
                low = probe + 1
            } else {
                high = middle
            }
        }
        for position in low..<items.count {
            guard let item = items[position], item.kind == .entry else { continue }
            guard try body(item.name, item.sequence) else { return }
        }
    }

    var isEmpty: Bool { positions.isEmpty }
}
