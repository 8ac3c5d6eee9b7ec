import Synchronization

/// An open file, which is closed with its last reference.
package final class OpenFile: Sendable {
    package let fd: OwnedFD
    package init(_ fd: consuming OwnedFD) { self.fd = fd }
}

/// A few open files by number; the least recently used one is closed for a new one. Safe for any number of threads.
package final class FileCache: Sendable {
    private typealias Slot = (key: UInt64, file: OpenFile)
    private let capacity: Int
    /// In the order of use. The last one is, as a rule, wanted next.
    private let slots = Mutex<[Slot]>([])

    package init(capacity: Int) { self.capacity = max(capacity, 1) }

    /// The file of `key`, opened by `open` unless it is open already.
    package func file<E: Error>(
        _ key: UInt64,
        open: () throws(E) -> OwnedFD
    ) throws(E) -> OpenFile {
        let known = slots.withLock { slots -> OpenFile? in
            guard let found = slots.lastIndex(where: { $0.key == key }) else { return nil }
            if found != slots.count - 1 { slots.append(slots.remove(at: found)) }
            return slots[slots.count - 1].file
        }
        if let known { return known }
        // Opened outside the lock: a slow disk must not hold up readers of other files.
        let file = OpenFile(try open())
        insert(key, file)
        return file
    }

    /// The file of `key`, if it is open.
    package func known(_ key: UInt64) -> OpenFile? {
        slots.withLock { slots in slots.last { $0.key == key }?.file }
    }

    /// Adds a file that is open already. If there is one with this key, both stay until `remove`.
    package func insert(_ key: UInt64, _ file: OpenFile) {
        // Closed after the lock is released.
        let unused = slots.withLock { slots in
            slots.append((key, file))
            return slots.count > capacity ? slots.removeFirst() : nil
        }
        _ = unused
    }

    /// Removes the file of `key`, which is closed with its last reference.
    package func remove(_ key: UInt64) {
        slots.withLock { slots in
            if slots.contains(where: { $0.key == key }) { slots.removeAll { $0.key == key } }
        }
    }
}
