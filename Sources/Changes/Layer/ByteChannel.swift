import Linux
import SystemPackage

/// A stream of bytes from one thread to another, with a bounded piece of memory between them.
///
/// Like a pipe, but the writer's error reaches the reader, and SIGPIPE kills no process.
final class ByteChannel: @unchecked Sendable {
    // Everything below is touched only under `lock`.
    private let lock = Lock()
    private let ring = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    private var start = 0
    private var filled = 0
    /// Set when nothing more will come: nil for a complete stream.
    private var end: Result<Void, any Error>?
    private var isAbandoned = false
    /// The writer failed because the reader had gone, and for no reason of its own.
    private var hasBroken = false

    deinit {
        ring.deallocate()
    }

    /// Waits while the memory is full. Throws EPIPE once the reader has gone.
    func write(_ bytes: UnsafeRawBufferPointer) throws {
        try lock.locked {
            var rest = bytes
            while !rest.isEmpty {
                while filled == ring.count, !isAbandoned { lock.wait() }
                guard !isAbandoned else {
                    hasBroken = true
                    throw Errno.brokenPipe
                }
                let place = (start + filled) % ring.count
                let count = min(rest.count, ring.count - filled, ring.count - place)
                ring[place..<place + count].copyBytes(from: rest.prefix(count))
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
                filled += count
                lock.wakeAll()
            }
        }
    }

    /// The stream ends here: complete, or with what the reader is to be told.
    func finish(_ result: Result<Void, any Error>) {
        lock.locked {
            end = result
            lock.wakeAll()
        }
    }

    /// Up to `buffer.count` bytes; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try lock.locked {
            while filled == 0 {
                if let end {
                    try end.get()
                    return 0
                }
                lock.wait()
            }
            let count = min(buffer.count, filled, ring.count - start)
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: ring[start..<start + count]))
            start = (start + count) % ring.count
            filled -= count
            lock.wakeAll()
            return count
        }
    }

    /// How the stream ended; nil while it has not, and when it ended only because its reader had gone.
    var outcome: Result<Void, any Error>? { lock.locked { hasBroken ? nil : end } }

    /// The reader wants no more.
    func abandon() {
        lock.locked {
            isAbandoned = true
            lock.wakeAll()
        }
    }
}

/// The reading end, where a `ByteSource` is wanted.
struct ChannelSource: ByteSource {
    let channel: ByteChannel

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try channel.read(into: buffer)
    }
}
