import Linux

/// The orders in which directories of the lower are listed, of a few that somebody is in the midst of: sorted once for a
/// stream, not for each of its requests.
final class LowerOrders: @unchecked Sendable {
    // Safe to share: `kept` is only touched under `lock`.
    private let lock = Lock()
    /// The last one used first.
    private var kept: [(directory: UInt32, order: NameOrder)] = []
    private let capacity = 16
    /// Names, of 16 bytes each. One directory may have more.
    private let limit = 1 << 18

    /// The order of a directory: that of its slots.
    func order(of directory: UInt32, in lower: any LowerTree) throws(FSError) -> (
        order: NameOrder, isKept: Bool
    ) {
        if let known = find(directory) { return (known, true) }
        var elements: [NameOrder.Element] = []
        var slot: UInt32 = 0
        _ = try lower.forEachEntry(of: directory, from: 0) { (entry) throws(FSError) in
            elements.append(.init(key: NamePosition.key(of: entry.name), number: slot))
            slot += 1
            return true
        }
        return (NameOrder(elements), false)
    }

    private func find(_ directory: UInt32) -> NameOrder? {
        lock.lock()
        defer { lock.unlock() }
        guard let place = kept.firstIndex(where: { $0.directory == directory }) else { return nil }
        let found = kept[place]
        if place > 0 {
            kept.remove(at: place)
            kept.insert(found, at: 0)
        }
        return found.order
    }

    /// Somebody is in the midst of a directory.
    func keep(_ order: NameOrder, of directory: UInt32) {
        lock.lock()
        defer { lock.unlock() }
        guard !kept.contains(where: { $0.directory == directory }) else { return }
        kept.insert((directory, order), at: 0)
        var names = kept.reduce(0) { $0 + $1.order.elements.count }
        while kept.count > capacity || (names > limit && kept.count > 1), let last = kept.popLast() {
            names -= last.order.elements.count
        }
    }

    /// Somebody has come to the end. Others that are in the midst of it sort it again.
    func drop(_ directory: UInt32) {
        lock.lock()
        defer { lock.unlock() }
        kept.removeAll { $0.directory == directory }
    }
}
