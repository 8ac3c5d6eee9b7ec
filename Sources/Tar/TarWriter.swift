import Linux

/// Writes a tar in the PAX format. The same entries always give the same bytes.
///
/// A file's content follows its header through `write`; `finish` ends the tar. Nothing is written after an error.
package struct TarWriter: ~Copyable {
    private static let bufferSize = 1 << 16

    private let sink: (UnsafeRawBufferPointer) throws -> Void
    private var buffer: [UInt8] = []
    private var contentLeft: UInt64 = 0
    private var paddingLeft = 0
    private var current: [UInt8] = []
    private let latest: Int64?

    /// `sink` gets the tar in pieces of any size. `latest`: seconds since 1970; no entry says that it was modified later.
    package init(notAfter latest: Int64? = nil, to sink: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.sink = sink
        self.latest = latest
        buffer.reserveCapacity(Self.bufferSize)
    }

    /// Writes `entry`'s headers. For a file, `entry.size` bytes must follow. Maps of holes can't be written:
    /// `entry.extents` is ignored.
    package mutating func add(_ entry: TarEntry) throws {
        try endContent()
        var entry = entry
        if let latest, entry.modified.seconds >= latest { entry.modified = .init(seconds: latest) }
        current = entry.path
        if entry.kind == .file { contentLeft = entry.size }
        paddingLeft = Int((512 - contentLeft % 512) % 512)
        try append(TarHeaderWriter.headers(of: entry))
    }

    /// Writes a file and its whole content, which determines `entry.size`.
    package mutating func add(_ entry: TarEntry, content: [UInt8]) throws {
        var entry = entry
        entry.size = UInt64(content.count)
        try add(entry)
        try content.withUnsafeBytes { try write($0) }
    }

    /// The next bytes of the current file's content.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard UInt64(bytes.count) <= contentLeft else {
            throw Failure("\(String.quoting(current)) has grown while it was written to a tar")
        }
        contentLeft -= UInt64(bytes.count)
        guard bytes.count >= Self.bufferSize else { return try append(bytes) }
        try flush()
        try sink(bytes)
    }

    /// Writes the end marker and what is still buffered.
    package mutating func finish() throws {
        try endContent()
        try append([UInt8](repeating: 0, count: 1024))
        try flush()
    }

    private mutating func endContent() throws {
        guard contentLeft == 0 else {
            throw Failure(
                "\(String.quoting(current)) is \(contentLeft) bytes shorter than its header in the tar says"
            )
        }
        try append([UInt8](repeating: 0, count: paddingLeft))
        paddingLeft = 0
    }

    private mutating func append(_ bytes: some Collection<UInt8>) throws {
        buffer.append(contentsOf: bytes)
        if buffer.count >= Self.bufferSize { try flush() }
    }

    private mutating func flush() throws {
        if buffer.isEmpty { return }
        try buffer.withUnsafeBytes { try sink($0) }
        buffer.removeAll(keepingCapacity: true)
    }
}
