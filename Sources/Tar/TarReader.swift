package import Linux

/// Reads a tar once, from the front: v7, ustar, GNU, star and PAX, also mixed.
///
/// The tar is untrusted: numbers are checked, headers bounded, and only one buffer and the current entry are in
/// memory. Errors are `Failure`s that name the tar and the entry.
package struct TarReader: ~Copyable {
    /// The limit in bytes of one extended header or long name.
    static let metadataLimit: UInt64 = 1 << 20
    private static let bufferSize = 1 << 18

    private var source: any ByteSource
    private let subject: String
    /// Gets every byte that is not content: headers, padding, and what follows the end, in order with the content.
    private let literal: ((UnsafeRawBufferPointer) throws -> Void)?
    private let buffer: UnsafeMutableRawBufferPointer
    /// The part of `buffer` that is still to be read.
    private var window: Range<Int> = 0..<0

    /// How many bytes were taken out of the source so far, without those in the buffer.
    package private(set) var offset: UInt64 = 0
    /// How many bytes of the current entry's content are still to come, and of the padding after it.
    private var contentLeft: UInt64 = 0
    private var paddingLeft: UInt64 = 0
    /// The last path, for messages.
    private var current: [UInt8]?
    private var isAtEnd = false

    /// Whether the two blocks of zeros were there. A tar without them may have been cut off between two entries,
    /// which only a digest can tell.
    package private(set) var hasEndMarker = false

    /// `named` is the subject of messages: "image X, layer 2".
    package init(
        _ source: any ByteSource,
        named: String,
        literal: ((UnsafeRawBufferPointer) throws -> Void)? = nil
    ) {
        self.source = source
        subject = named
        self.literal = literal
        buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// The next entry; nil at the end, after everything behind it has been read, too. The rest of the entry before
    /// is skipped (and goes to `literal`).
    package mutating func next() throws -> TarEntry? {
        guard !isAtEnd else { return nil }
        try skip(contentLeft)
        contentLeft = 0
        try skip(paddingLeft)
        paddingLeft = 0
        current = nil
        do {
            guard let entry = try parseEntry() else {
                isAtEnd = true
                try readTrailer()
                return nil
            }
            return entry
        } catch let error as TarError {
            throw failure(error.reason)
        }
    }

    /// Reads bytes of the current entry's content, without holes; 0 once it has been read.
    package mutating func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        let wanted = min(UInt64(target.count), contentLeft)
        guard wanted > 0 else { return 0 }
        // Straight from the source where the buffer is empty and would only add a copy.
        if window.isEmpty, wanted >= Self.bufferSize {
            let count = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: target[..<Int(wanted)]))
            guard count > 0 else { throw truncated() }
            advance(count)
            return count
        }
        try fill()
        let count = min(Int(wanted), window.count)
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[window.prefix(count)]))
        window = window.dropFirst(count)
        advance(count)
        return count
    }

    /// Passes the rest of the current entry's content piece by piece, without copying.
    package mutating func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        while contentLeft > 0 {
            try fill()
            let count = Int(min(UInt64(window.count), contentLeft))
            try body(UnsafeRawBufferPointer(rebasing: buffer[window.prefix(count)]))
            window = window.dropFirst(count)
            advance(count)
        }
    }

    private mutating func advance(_ count: Int) {
        contentLeft -= UInt64(count)
        offset += UInt64(count)
    }

    /// "image X, layer 2: entry "usr/bin/env": …".
    package func failure(_ reason: String) -> Failure {
        guard let current else { return Failure("\(subject): at byte \(offset) of the tar: \(reason)") }
        return Failure("\(subject): entry \(String.quoting(current)): \(reason)")
    }

    private func truncated() -> Failure { failure("the tar ends here, \(contentLeft) bytes too early") }
}

// The primitives of the parser.
extension TarReader {
    /// Makes the window non-empty.
    private mutating func fill() throws {
        guard window.isEmpty else { return }
        let count = try source.read(into: buffer)
        guard count > 0 else { throw truncated() }
        window = 0..<count
    }

    /// The next 512 bytes, valid until the next read; they go to `literal`. nil where the source ends instead.
    mutating func block() throws -> UnsafeRawBufferPointer? {
        if window.count < TarHeader.size {
            let rest = UnsafeRawBufferPointer(rebasing: buffer[window])
            buffer.copyMemory(from: rest)
            window = 0..<rest.count
            while window.count < TarHeader.size {
                let count = try source.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[window.count...])
                )
                if count == 0 { break }
                window = 0..<window.count + count
            }
            if window.isEmpty { return nil }
            guard window.count >= TarHeader.size else {
                throw failure("the tar ends in the middle of a header")
            }
        }
        let block = UnsafeRawBufferPointer(rebasing: buffer[window.prefix(TarHeader.size)])
        window = window.dropFirst(TarHeader.size)
        offset += UInt64(TarHeader.size)
        try literal?(block)
        return block
    }

    mutating func requireBlock(_ what: String) throws -> UnsafeRawBufferPointer {
        guard let block = try block() else { throw failure("the tar ends before \(what)") }
        return block
    }

    /// The data of an extended header: `size` bytes and their padding.
    mutating func metadata(_ size: UInt64) throws -> [UInt8] {
        guard size <= Self.metadataLimit else {
            throw TarError("an extended header of \(size) bytes; mica takes \(Self.metadataLimit)")
        }
        var bytes: [UInt8] = []
        while bytes.count < Int(size) {
            bytes.append(contentsOf: try requireBlock("the end of an extended header"))
        }
        bytes.removeLast(bytes.count - Int(size))
        return bytes
    }

    /// Makes failures name this entry from here on.
    mutating func enter(_ path: [UInt8]) { current = path }

    /// Sets how much `read` and `forEachPiece` return. `consumed` bytes of the data have been read already.
    mutating func expectContent(_ stored: UInt64, consumed: UInt64 = 0) throws(TarError) {
        // No tar is larger than this; so the sums below can't overflow.
        guard stored < 1 << 62 else { throw TarError("its size \(stored) is impossible") }
        contentLeft = stored - consumed
        paddingLeft = (512 - stored % 512) % 512
    }

    private mutating func skip(_ count: UInt64) throws {
        var left = count
        while left > 0 {
            if window.isEmpty, literal == nil {
                // Seeks over unwanted data, which may be gigabytes, where the source can.
                let skipped = min(try source.skip(left), left)
                offset += skipped
                left -= skipped
                if left == 0 { break }
            }
            try fill()
            let piece = Int(min(UInt64(window.count), left))
            try literal?(UnsafeRawBufferPointer(rebasing: buffer[window.prefix(piece)]))
            window = window.dropFirst(piece)
            offset += UInt64(piece)
            left -= UInt64(piece)
        }
    }

    /// Skips data that is not a file's.
    mutating func skipData(_ size: UInt64) throws {
        try expectContent(size)
        try skip(contentLeft)
        contentLeft = 0
        try skip(paddingLeft)
        paddingLeft = 0
    }

    /// Reads the second block of the end marker after a first block of zeros.
    mutating func readEndMarker() throws {
        guard let second = try block() else { return }
        guard TarHeader(second).isZero else { throw TarError("a block of zeros between two entries") }
        hasEndMarker = true
    }

    private mutating func readTrailer() throws {
        while true {
            if window.isEmpty {
                let count = try source.read(into: buffer)
                if count == 0 { return }
                window = 0..<count
            }
            try literal?(UnsafeRawBufferPointer(rebasing: buffer[window]))
            offset += UInt64(window.count)
            window = 0..<0
        }
    }
}
