import Linux
import Tar

/// A tar written again with no time after a given one, so that the same files give the same bytes whenever they were
/// made (SOURCE_DATE_EPOCH).
package struct TarUntil: Sendable {
    private let latest: TarEntry.Time
    private let subject: String

    /// `latest`: Unix nanoseconds. `named`: whose tar it is, for messages.
    package init(_ latest: Int64, named subject: String) {
        let (seconds, rest) = latest.quotientAndRemainder(dividingBy: 1_000_000_000)
        // Nanoseconds count on from the second before, in times before 1970 as well.
        self.latest =
            rest < 0
            ? TarEntry.Time(seconds: seconds - 1, nanoseconds: UInt32(rest + 1_000_000_000))
            : TarEntry.Time(seconds: seconds, nanoseconds: UInt32(rest))
        self.subject = subject
    }

    /// `write` makes the tar, in a thread of its own; `sink` gets the new one piece by piece, in this one. The pieces must
    /// not count before this returns.
    package func rewriting(
        _ write: @escaping @Sendable ((UnsafeRawBufferPointer) throws -> Void) throws -> Void,
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let channel = ByteChannel()
        let writer = try WorkerThread {
            channel.finish(Result { try write { try channel.write($0) } })
        }
        let result = Result { try rewrite(ChannelSource(channel: channel), to: sink) }
        channel.abandon()
        writer.join()
        if case .failure(let error)? = channel.outcome { throw error }
        try result.get()
    }

    private func rewrite(_ source: ChannelSource, to sink: @escaping (UnsafeRawBufferPointer) throws -> Void)
        throws
    {
        var reader = TarReader(source, named: subject)
        var writer = TarWriter(to: sink)
        while var entry = try reader.next() {
            if isLater(entry.modified) { entry.modified = latest }
            let extents = entry.extents
            entry.extents = nil
            try writer.add(entry)
            guard entry.kind == .file else { continue }
            guard let extents else {
                try reader.forEachPiece { try writer.write($0) }
                continue
            }
            try fill(entry, extents, from: &reader, to: &writer)
        }
        try writer.finish()
    }

    /// Writes a file with its holes as zeros.
    private func fill(
        _ entry: TarEntry,
        _ extents: [TarEntry.Extent],
        from reader: inout TarReader,
        to writer: inout TarWriter
    ) throws {
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { piece.deallocate() }
        func pad(_ count: UInt64, _ writer: inout TarWriter) throws {
            var rest = count
            while rest > 0 {
                let now = min(rest, UInt64(zeros.count))
                try zeros.withUnsafeBytes {
                    try writer.write(UnsafeRawBufferPointer(rebasing: $0[..<Int(now)]))
                }
                rest -= now
            }
        }
        var position: UInt64 = 0
        for extent in extents where extent.length > 0 {
            try pad(extent.offset - position, &writer)
            var rest = extent.length
            while rest > 0 {
                let part = UnsafeMutableRawBufferPointer(
                    rebasing: piece.prefix(Int(min(rest, UInt64(piece.count))))
                )
                let count = try reader.read(into: part)
                guard count > 0 else { throw reader.failure("its content ends too early") }
                try writer.write(UnsafeRawBufferPointer(rebasing: part[..<count]))
                rest -= UInt64(count)
            }
            position = extent.offset + extent.length
        }
        try pad(entry.size - position, &writer)
    }

    private func isLater(_ time: TarEntry.Time) -> Bool {
        (time.seconds, time.nanoseconds) > (latest.seconds, latest.nanoseconds)
    }
}
