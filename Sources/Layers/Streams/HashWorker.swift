import Linux
import Digests

/// Hashes two streams on a separate thread: a layer's tar, and the blob that it came in.
final class HashWorker: Sendable {
    enum Stream: Sendable { case tar, blob }

    /// The thread's state; a separate class, so that the thread does not keep its owner alive.
    private final class Hashes: @unchecked Sendable {
        // Safe to share: only the thread writes, and the results are read after its end.
        var tar = SHA256()
        var blob = SHA256()
        let queue = BoundedQueue<(stream: Stream, chunk: Chunk)>(capacity: 8)

        func run() {
            while let (stream, chunk) = try? queue.pop() {
                switch stream {
                case .tar: tar.update(chunk.bytes)
                case .blob: blob.update(chunk.bytes)
                }
            }
        }
    }

    private let hashes: Hashes
    private let worker: WorkerThread

    init() throws {
        let hashes = Hashes()
        self.hashes = hashes
        worker = try WorkerThread { hashes.run() }
    }

    deinit {
        hashes.queue.close()
        worker.join()
    }

    func update(_ stream: Stream, _ chunk: Chunk) { _ = hashes.queue.push((stream, chunk)) }

    /// Waits until everything has been hashed.
    func finish() -> (tar: Digest, blob: Digest) {
        hashes.queue.close()
        worker.join()
        return (hashes.tar.finish(), hashes.blob.finish())
    }
}
