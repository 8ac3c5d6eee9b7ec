import Synchronization

/// A piece of a stream, filled by one thread and then only read, by any number of threads. Its memory goes back to
/// the pool with the last reference.
final class Chunk: @unchecked Sendable {
    // Safe to share: written only before it is passed on.
    private let memory: UnsafeMutableRawBufferPointer
    private let pool: ChunkPool
    private var count = 0

    fileprivate init(_ memory: UnsafeMutableRawBufferPointer, _ pool: ChunkPool) {
        self.memory = memory
        self.pool = pool
    }

    deinit { pool.give(memory) }

    /// Lets `body` write up to the chunk's size; it returns how many bytes it wrote.
    func fill(_ body: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows -> Int {
        count = try body(memory)
        return count
    }

    /// The part that is still free; `extend` says how much of it has been filled.
    var room: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: memory[count...]) }
    func extend(by filled: Int) { count += filled }

    /// Valid while the chunk is.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }
}

/// Recycles chunks' memory: giving pages back to the kernel and faulting them in again for every chunk would take
/// longer than the work on them.
final class ChunkPool: @unchecked Sendable {
    static let chunkSize = 1 << 18

    private let free = Mutex<[UInt]>([])

    deinit {
        free.withLock { free in
            for address in free { UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }
        }
    }

    func chunk() -> Chunk {
        let address = free.withLock { $0.popLast() }
        let memory =
            address.flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
            ?? UnsafeMutableRawPointer.allocate(byteCount: Self.chunkSize, alignment: 64)
        return Chunk(UnsafeMutableRawBufferPointer(start: memory, count: Self.chunkSize), self)
    }

    fileprivate func give(_ memory: UnsafeMutableRawBufferPointer) {
        free.withLock { $0.append(UInt(bitPattern: memory.baseAddress)) }
    }
}
