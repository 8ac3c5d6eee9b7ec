import Linux

/// A cache of open upper directories, which are in their nodes. The clock algorithm makes room for a new one: it
/// closes the first that was not used since the hand last passed it. Guarded by the union's lock of names.
final class OpenDirectories {
    private var places: [Node?]
    private var hand = 0

    init(capacity: Int) { places = Array(repeating: nil, count: capacity) }

    func find(_ held: HeldNames, _ node: Node) -> OpenFile? {
        guard let opened = node.opened else { return nil }
        node.isOpenedInUse = true
        return opened
    }

    /// A node with an open directory that is inside `node`, at most `levels` below it.
    func findInside(_ held: HeldNames, _ node: Node, levels: Int) -> Node? {
        places.first { place in
            var above = place
            for _ in 0..<levels {
                guard let next = above, !next.isOrphan else { return false }
                above = next.parent
                if above === node { return true }
            }
            return false
        } ?? nil
    }

    /// Precondition: `find` found none.
    func insert(_ held: HeldNames, _ opened: OpenFile, _ node: Node) {
        while let other = places[hand], other.isOpenedInUse {
            other.isOpenedInUse = false
            advance()
        }
        places[hand]?.opened = nil
        places[hand] = node
        advance()
        node.opened = opened
    }

    /// A thread that uses the directory at the moment keeps it open.
    func close(_ held: HeldNames, _ node: Node) {
        guard node.opened != nil, let place = places.firstIndex(where: { $0 === node }) else { return }
        node.opened = nil
        places[place] = nil
        // The next directory goes there.
        hand = place
    }

    private func advance() { hand = (hand + 1) % places.count }
}
