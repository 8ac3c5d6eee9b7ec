import Linux

/// The sorted orders of the lower directories whose listings are in progress: sorted once for a stream, not for each
/// of its requests.
final class LowerOrders: @unchecked Sendable {
    // Safe to share: `cached` is only touched under `lock`.
    private let lock = Lock()
    /// The most recently used first.
    private var cached: [(directory: UInt32, order: NameOrder)] = []
    private let capacity = 16
    /// In names, of 16 bytes each. A single directory may have more.
    private let limit = 1 << 18

    /// The order of a directory's slots.
    func order(of directory: UInt32, in lower: any LowerTree) throws(FSError) -> (
        order: NameOrder, isCached: Bool
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
        guard let place = cached.firstIndex(where: { $0.directory == directory }) else { return nil }
        let found = cached[place]
        if place > 0 {
            cached.remove(at: place)
            cached.insert(found, at: 0)
        }
        return found.order
    }

    /// Caches the order of a directory whose listing is in progress.
    func cache(_ order: NameOrder, of directory: UInt32) {
        lock.lock()
        defer { lock.unlock() }
        guard !cached.contains(where: { $0.directory == directory }) else { return }
        cached.insert((directory, order), at: 0)
        var names = cached.reduce(0) { $0 + $1.order.elements.count }
        while cached.count > capacity || (names > limit && cached.count > 1), let last = cached.popLast() {
            names -= last.order.elements.count
        }
    }

    /// Drops the order of a directory whose listing has ended. Another stream in the midst of it sorts it again.
    func drop(_ directory: UInt32) {
        lock.lock()
        defer { lock.unlock() }
        cached.removeAll { $0.directory == directory }
    }
}
