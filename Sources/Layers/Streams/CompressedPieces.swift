import CCodecs
import Glibc
import Linux
import Synchronization

extension LayerCompression {
    /// The pieces that are compressed at the same time. Filled by one thread.
    final class Pieces: @unchecked Sendable {
        // Safe to share: while `compress` runs each thread has a piece of its own, and no thread fills one.
        private let format: Format
        private let size: Int
        private let room: Int
        private var inputs: [UnsafeMutableRawBufferPointer]
        private var outputs: [UnsafeMutableRawBufferPointer]
        private var filled: [Int]
        private var current = 0
        private let results = Mutex<[Int]>([])

        init(_ format: Format, size: Int, width: Int) {
            self.format = format
            self.size = size
            // In both formats incompressible data grows by less than this.
            room = size + size / 64 + 4096
            let room = room
            inputs = (0..<width).map { _ in .allocate(byteCount: size, alignment: 64) }
            outputs = (0..<width).map { _ in .allocate(byteCount: room, alignment: 64) }
            filled = Array(repeating: 0, count: width)
        }

        deinit { for buffer in inputs + outputs { buffer.deallocate() } }

        var isFull: Bool { current == inputs.count }

        /// Returns how many bytes were taken. Precondition: it is not full.
        func take(_ bytes: UnsafeRawBufferPointer) -> Int {
            let count = min(bytes.count, size - filled[current])
            UnsafeMutableRawBufferPointer(rebasing: inputs[current][filled[current]...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            filled[current] += count
            if filled[current] == size { current += 1 }
            return count
        }

        /// Passes the compressed pieces to `sink`, in order, and empties itself.
        func compress(_ sink: (UnsafeRawBufferPointer) throws -> Void) throws {
            let count = filled.count { $0 > 0 }
            results.withLock { $0 = Array(repeating: 0, count: count) }
            let threads = (0..<max(count - 1, 0)).map { number in
                (number, try? WorkerThread { self.run(number) })
            }
            for (number, thread) in threads where thread == nil { run(number) }
            if count > 0 { run(count - 1) }
            for (_, thread) in threads { thread?.join() }
            for (number, size) in results.withLock({ $0 }).enumerated() {
                guard size > 0 else { throw Failure("compress a layer: there is no memory for it") }
                try sink(UnsafeRawBufferPointer(rebasing: outputs[number][..<size]))
            }
            filled = Array(repeating: 0, count: filled.count)
            current = 0
        }

        private func run(_ number: Int) {
            let input = UnsafeRawBufferPointer(rebasing: inputs[number][..<filled[number]])
            let size = LayerCompression.compress(input, into: outputs[number], format)
            results.withLock { $0[number] = size }
        }
    }

    /// The size of the result in bytes; 0 without memory.
    private static func compress(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer,
        _ format: Format
    ) -> Int {
        switch format {
        case .gzip:
            guard let codec = libdeflate_alloc_compressor(6) else { return 0 }
            defer { libdeflate_free_compressor(codec) }
            return libdeflate_gzip_compress(
                codec,
                input.baseAddress,
                input.count,
                output.baseAddress,
                output.count
            )
        case .zstd:
            let size = ZSTD_compress(output.baseAddress, output.count, input.baseAddress, input.count, 3)
            return ZSTD_isError(size) == 0 ? size : 0
        }
    }
}
