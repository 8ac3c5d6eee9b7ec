import Linux
import Digests

/// Reads a compressed layer on a separate thread and returns its tar: decompression, hashing and the caller's work
/// on the bytes run side by side. Memory is bounded by the queues.
final class ReadAhead: ByteSource, @unchecked Sendable {
    private let producer: Producer
    private let worker: WorkerThread
    // Used by the reading thread only.
    private var chunk: Chunk?
    private var offset = 0

    /// `blobLimit`: how many bytes the source may have. `progress` gets the number of bytes read from it so far.
    init(
        _ source: any ByteSource,
        named: String,
        hashingBlob: Bool,
        blobLimit: UInt64?,
        progress: (@Sendable (UInt64) -> Void)?
    ) throws {
        let producer = Producer(
            named: named,
            isHashingBlob: hashingBlob,
            blobLimit: blobLimit,
            progress: progress,
            hashes: try HashWorker()
        )
        self.producer = producer
        worker = try WorkerThread { producer.run(source) }
    }

    deinit { stop() }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while offset == chunk?.bytes.count ?? 0 {
            chunk = nil
            offset = 0
            guard let next = try producer.chunks.pop() else { return 0 }
            chunk = next
        }
        guard let chunk else { return 0 }
        let piece = UnsafeRawBufferPointer(rebasing: chunk.bytes[offset...].prefix(buffer.count))
        buffer.copyMemory(from: piece)
        offset += piece.count
        return piece.count
    }

    /// Called after the last byte has been read: the digests of the tar and the blob. The blob's is only right where
    /// it was asked for.
    func finish() -> (tar: Digest, blob: Digest, blobSize: UInt64) {
        stop()
        let (tar, blob) = producer.hashes.finish()
        return (tar, producer.isPlain ? tar : blob, producer.blobSize)
    }

    private func stop() {
        producer.chunks.close()
        worker.join()
    }
}

extension ReadAhead {
    /// The thread's state; a separate class, so that the thread does not keep its owner alive.
    private final class Producer: @unchecked Sendable {
        let chunks = BoundedQueue<Chunk>(capacity: 8)
        let hashes: HashWorker
        private let pool = ChunkPool()
        private let named: String
        private let isHashingBlob: Bool
        private let blobLimit: UInt64?
        private let progress: (@Sendable (UInt64) -> Void)?
        // Only the thread writes these, and they are read after its end.
        private(set) var blobSize: UInt64 = 0
        private(set) var isPlain = false

        init(
            named: String,
            isHashingBlob: Bool,
            blobLimit: UInt64?,
            progress: (@Sendable (UInt64) -> Void)?,
            hashes: HashWorker
        ) {
            self.named = named
            self.isHashingBlob = isHashingBlob
            self.blobLimit = blobLimit
            self.progress = progress
            self.hashes = hashes
        }

        func run(_ source: any ByteSource) {
            do {
                var decompressor = Decompressor(source, named: named) { [unowned self] in try tap($0) }
                isPlain = try decompressor.format() == .plain
                while true {
                    let chunk = pool.chunk()
                    let count = try chunk.fill { try decompressor.read(into: $0) }
                    if count == 0 { return chunks.close() }
                    hashes.update(.tar, chunk)
                    guard chunks.push(chunk) else { return }
                }
            } catch {
                chunks.close(throwing: error)
            }
        }

        private func tap(_ piece: UnsafeRawBufferPointer) throws {
            blobSize += UInt64(piece.count)
            if let blobLimit, blobSize > blobLimit {
                throw Failure("\(named): the blob is larger than the \(blobLimit) bytes it should have")
            }
            progress?(blobSize)
            // A plain blob is the tar, which is hashed anyway.
            guard isHashingBlob, !isPlain else { return }
            var rest = piece
            while !rest.isEmpty {
                let chunk = pool.chunk()
                let count = chunk.fill { target in
                    let part = UnsafeRawBufferPointer(rebasing: rest.prefix(target.count))
                    target.copyMemory(from: part)
                    return part.count
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                hashes.update(.blob, chunk)
            }
        }
    }
}
