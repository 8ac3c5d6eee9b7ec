import Synchronization

/// A file kept open by whoever holds the reference.
package final class OpenFile: Sendable {
    package let fd: OwnedFD
    package init(_ fd: consuming OwnedFD) { self.fd = fd }
}

/// A few open files by number; the longest unused one is closed for a new one. Safe for any number of threads.
package final class FileCache: Sendable {
    private struct Slot {
        let key: UInt64
        let file: OpenFile
        var used: UInt64
    }
    private struct State {
        var slots: [Slot] = []
        var clock: UInt64 = 0
    }
    private let capacity: Int
    private let state = Mutex(State())

    package init(capacity: Int) { self.capacity = max(capacity, 1) }

    /// The file of `key`, opened by `open` unless it is open already.
    package func file<E: Error>(
        _ key: UInt64,
        open: () throws(E) -> OwnedFD
    ) throws(E) -> OpenFile {
        let known = state.withLock { state -> OpenFile? in
            state.clock += 1
            guard let slot = state.slots.firstIndex(where: { $0.key == key }) else { return nil }
            state.slots[slot].used = state.clock
            return state.slots[slot].file
        }
        if let known { return known }
        // Opened outside the lock: a cold disk must not hold up other files' readers.
        let file = OpenFile(try open())
        insert(key, file)
        return file
    }

    /// The file of `key`, if it is open.
    package func known(_ key: UInt64) -> OpenFile? {
        state.withLock { state in state.slots.first { $0.key == key }?.file }
    }

    /// Keeps a file that is open already. Precondition: there is none of this key.
    package func insert(_ key: UInt64, _ file: OpenFile) {
        state.withLock { state in
            state.clock += 1
            if state.slots.count >= capacity,
                let oldest = state.slots.indices.min(by: { state.slots[$0].used < state.slots[$1].used })
            {
                state.slots.remove(at: oldest)
            }
            state.slots.append(Slot(key: key, file: file, used: state.clock))
        }
    }

    /// Closes the file of `key`, as soon as nobody uses it.
    package func remove(_ key: UInt64) {
        state.withLock { $0.slots.removeAll { $0.key == key } }
    }
}
