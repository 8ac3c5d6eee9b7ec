import Containerd
import Linux

/// A blob on its way from a task, which is not to wait in a thread, to a thread, which is: pieces as they come, with a
/// bounded number of bytes between them.
final class BlobSource: @unchecked Sendable {
    private static let room = 4 << 20

    // Everything below is touched only under `lock`.
    private let lock = Lock()
    private var pieces: [ArraySlice<UInt8>] = []
    private var filled = 0
    private var end: Result<Void, any Error>?
    private var isAbandoned = false
    /// Of the task, while there is no room.
    private var waiting: CheckedContinuation<Void, any Error>?

    /// Returns once there is room for more. Throws when the other side no longer reads.
    func write(_ bytes: [UInt8]) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let result: Result<Void, any Error>? = lock.locked {
                guard !isAbandoned else { return .failure(CancellationError()) }
                if !bytes.isEmpty { pieces.append(bytes[...]) }
                filled += bytes.count
                lock.wakeAll()
                guard filled > BlobSource.room else { return .success(()) }
                waiting = continuation
                return nil
            }
            if let result { continuation.resume(with: result) }
        }
    }

    /// Nothing more comes: the blob is complete, or why it is not.
    func finish(_ result: Result<Void, any Error>) {
        lock.locked {
            if end == nil { end = result }
            lock.wakeAll()
        }
    }

    /// No more is wanted.
    func abandon() {
        let waiting = lock.locked {
            isAbandoned = true
            defer { self.waiting = nil }
            return self.waiting
        }
        waiting?.resume(throwing: CancellationError())
    }

    /// Waits for what comes; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard !buffer.isEmpty else { return 0 }
        let (count, waiting): (Int, CheckedContinuation<Void, any Error>?) = try lock.locked {
            while pieces.isEmpty {
                if let end {
                    try end.get()
                    return (0, nil)
                }
                lock.wait()
            }
            let piece = pieces[0].prefix(buffer.count)
            piece.withUnsafeBytes { buffer.copyMemory(from: $0) }
            pieces[0] = pieces[0].dropFirst(piece.count)
            if pieces[0].isEmpty { pieces.removeFirst() }
            filled -= piece.count
            guard filled <= BlobSource.room else { return (piece.count, nil) }
            defer { self.waiting = nil }
            return (piece.count, self.waiting)
        }
        waiting?.resume()
        return count
    }
}

/// Where a `ByteSource` is wanted.
struct BlobReader: ByteSource {
    let source: BlobSource

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try source.read(into: buffer)
    }
}
