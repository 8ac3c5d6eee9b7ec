import Linux

/// A source whose reader is watched: `onRead` gets the bytes read so far, and ends the reading by throwing.
struct WatchedSource<Base: ByteSource>: ByteSource {
    private var base: Base
    private var done: UInt64 = 0
    private let onRead: @Sendable (UInt64) throws -> Void

    init(_ base: Base, onRead: @escaping @Sendable (UInt64) throws -> Void) {
        self.base = base
        self.onRead = onRead
    }

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try onRead(done)
        let count = try base.read(into: buffer)
        done += UInt64(count)
        return count
    }
}
