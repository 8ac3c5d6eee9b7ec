package import Linux
import Synchronization

/// Directories of layers that are open, by the directory of the stack and the layer. A file's attributes are asked for
/// in one of them: opening it again takes longer than the question. The clock algorithm makes room for a new one: it
/// closes the first that was not used since the hand last passed it. Safe for any number of threads.
package final class OpenPieces: Sendable {
    private struct Place {
        let key: UInt64
        let file: OpenFile
        var isInUse = false
    }

    private struct State {
        var places: [Place] = []
        /// By key.
        var positions = NumberMap<Int>()
        var hand = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// Random lookups in 20 layers of packages open half as many directories with 512 places as with 256, and with
    /// 1,024 not much fewer. A process whose limit is low needs its descriptors for what is open or removed.
    convenience init() { self.init(capacity: min(512, OpenFileLimit.current / 8)) }

    package init(capacity: Int) { self.capacity = max(capacity, 1) }

    /// The number of places that are taken.
    package var count: Int { state.withLock { $0.places.count } }

    package func find(_ directory: UInt32, in layer: Int) -> OpenFile? {
        state.withLock { state in
            guard let position = state.positions[Self.key(directory, layer)] else { return nil }
            state.places[position].isInUse = true
            return state.places[position].file
        }
    }

    /// Where another thread was quicker, its file stays.
    package func insert(_ file: OpenFile, _ directory: UInt32, in layer: Int) {
        let place = Place(key: Self.key(directory, layer), file: file)
        // Closed after the lock is released.
        let unused = state.withLock { state -> OpenFile? in
            guard state.positions[place.key] == nil else { return nil }
            guard state.places.count == capacity else {
                state.positions[place.key] = state.places.count
                state.places.append(place)
                return nil
            }
            while state.places[state.hand].isInUse {
                state.places[state.hand].isInUse = false
                state.hand = (state.hand + 1) % capacity
            }
            let old = state.places[state.hand]
            state.positions[old.key] = nil
            state.positions[place.key] = state.hand
            state.places[state.hand] = place
            state.hand = (state.hand + 1) % capacity
            return old.file
        }
        _ = unused
    }

    /// A layer's number has 15 bits.
    private static func key(_ directory: UInt32, _ layer: Int) -> UInt64 {
        UInt64(directory) << 16 | UInt64(truncatingIfNeeded: layer)
    }
}
