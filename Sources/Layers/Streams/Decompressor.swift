package import Linux

/// Decompresses a stream: gzip and zstd are detected by their first bytes, all else passes unchanged. Truncated and
/// damaged data throws a `Failure` that names the stream.
package struct Decompressor: ByteSource {
    package enum Format: Sendable { case plain, gzip, zstd }

    // A class, because a protocol's value must be copyable and a codec's state isn't.
    fileprivate final class State: @unchecked Sendable {
        var source: any ByteSource
        let named: String
        let tap: (@Sendable (UnsafeRawBufferPointer) throws -> Void)?
        var input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)
        var window: Range<Int> = 0..<0
        var codec: (any Inflating)?
        var format: Format?
        var isAtEnd = false
        /// A stream that was decompressed as a whole, and how much of it was read.
        var whole: UnsafeMutableRawBufferPointer?
        var position = 0
        let wholeLimit: Int

        init(
            _ source: any ByteSource,
            _ named: String,
            _ wholeLimit: Int,
            _ tap: (@Sendable (UnsafeRawBufferPointer) throws -> Void)?
        ) {
            self.source = source
            self.named = named
            self.wholeLimit = wholeLimit
            self.tap = tap
        }

        deinit {
            input.deallocate()
            whole?.deallocate()
        }
    }

    private let state: State

    /// `named` is the subject of messages. `tap` gets the bytes as they come from `source`, in order, each once.
    /// `wholeLimit`: gzip of at most so many bytes is read to its end before anything comes out.
    package init(
        _ source: any ByteSource,
        named: String,
        wholeLimit: Int = WholeGzip.limit,
        tap: (@Sendable (UnsafeRawBufferPointer) throws -> Void)? = nil
    ) {
        state = State(source, named, wholeLimit, tap)
    }

    /// Detects the format, and reads as far as that takes.
    package mutating func format() throws -> Format {
        if let format = state.format { return format }
        while state.window.count < 4, try state.refill() {}
        let format = try state.detect()
        if format == .gzip { try state.inflateWhole() }
        state.format = format
        return format
    }

    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        _ = try format()
        if state.whole != nil { return state.passWhole(into: buffer) }
        guard let codec = state.codec else { return try state.pass(into: buffer) }
        while !buffer.isEmpty {
            do {
                let (consumed, produced) = try codec.inflate(
                    UnsafeRawBufferPointer(rebasing: state.input[state.window]),
                    into: buffer
                )
                state.window = state.window.dropFirst(consumed)
                if produced > 0 { return produced }
                if consumed > 0, !state.window.isEmpty { continue }
            } catch {
                throw Failure("\(state.named): \(error.reason)")
            }
            guard try state.refill() else {
                guard codec.isComplete else {
                    throw Failure("\(state.named): its compressed data is cut short")
                }
                return 0
            }
        }
        return 0
    }
}

extension Decompressor.State {
    /// Appends to the window; false at the end of the source.
    fileprivate func refill() throws -> Bool {
        if isAtEnd { return false }
        let rest = UnsafeRawBufferPointer(rebasing: input[window])
        if window.lowerBound > 0 { input.copyMemory(from: rest) }
        window = 0..<rest.count
        let room = UnsafeMutableRawBufferPointer(rebasing: input[window.count...])
        let count = try source.read(into: room)
        if count == 0 {
            isAtEnd = true
            return false
        }
        try tap?(UnsafeRawBufferPointer(rebasing: room[..<count]))
        window = 0..<window.count + count
        return true
    }

    fileprivate func detect() throws -> Decompressor.Format {
        let magic = Array(input[window.prefix(6)])
        do throws(CodecError) {
            if magic.starts(with: [0x1f, 0x8b]) {
                codec = try GzipStream()
                return .gzip
            }
            // A skippable frame may come first: its magic's lowest four bits are free.
            let isSkippable =
                magic.count >= 4 && magic[0] & 0xf0 == 0x50 && magic[1...3] == [0x2a, 0x4d, 0x18]
            if magic.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) || isSkippable {
                codec = try ZstdStream()
                return .zstd
            }
        } catch {
            throw Failure("\(named): \(error.reason)")
        }
        for (other, name) in [([0x42, 0x5a, 0x68], "bzip2"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz")]
        where magic.starts(with: other.map { UInt8($0) }) {
            throw Failure(
                "\(named): compressed with \(name)",
                advice: "mica reads gzip, zstd and plain tars: \(name) -dc makes one of it."
            )
        }
        return .plain
    }

    /// Decompresses the stream as a whole where it is small enough. Otherwise the window has what was read.
    fileprivate func inflateWhole() throws {
        while window.count < wholeLimit, !isAtEnd {
            if window.count == input.count { grow() }
            _ = try refill()
        }
        guard isAtEnd, window.count <= wholeLimit else { return }
        whole = WholeGzip.inflate(UnsafeRawBufferPointer(rebasing: input[window]))
    }

    private func grow() {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count * 4, alignment: 64)
        larger.copyMemory(from: UnsafeRawBufferPointer(input))
        input.deallocate()
        input = larger
    }

    fileprivate func passWhole(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let whole else { return 0 }
        let count = min(buffer.count, whole.count - position)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: whole[position..<position + count]))
        position += count
        return count
    }

    fileprivate func pass(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if window.isEmpty {
            // The window is empty from here on: straight into the caller's buffer.
            let count = isAtEnd ? 0 : try source.read(into: buffer)
            if count == 0 { isAtEnd = true }
            if count > 0 { try tap?(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            return count
        }
        let count = min(buffer.count, window.count)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[window.prefix(count)]))
        window = window.dropFirst(count)
        return count
    }
}
