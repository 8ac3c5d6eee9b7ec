import Synchronization

/// A file kept open by whoever holds the reference.
package final class OpenFile: Sendable {
    package let fd: OwnedFD
    package init(_ fd: consuming OwnedFD) { self.fd = fd }
}

/// A few open files by number; the longest unused one is closed for a new one. Safe for any number of threads.
package final class FileCache: Sendable {
    private typealias Slot = (key: UInt64, file: OpenFile)
    private let capacity: Int
    /// In the order of use, the last one last: it is the one that is wanted next, as a rule.
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
        // Opened outside the lock: a cold disk must not hold up other files' readers.
        let file = OpenFile(try open())
        insert(key, file)
        return file
    }

    /// The file of `key`, if it is open.
    package func known(_ key: UInt64) -> OpenFile? {
        slots.withLock { slots in slots.last { $0.key == key }?.file }
    }

    /// Keeps a file that is open already. Where there is one of this key, both are kept until `remove`.
    package func insert(_ key: UInt64, _ file: OpenFile) {
        // Closed when the lock is not held.
        let unused = slots.withLock { slots in
            slots.append((key, file))
            return slots.count > capacity ? slots.removeFirst() : nil
        }
        _ = unused
    }

    /// Closes the file of `key`, as soon as nobody uses it.
    package func remove(_ key: UInt64) {
        slots.withLock { slots in
            if slots.contains(where: { $0.key == key }) { slots.removeAll { $0.key == key } }
        }
    }
}
