package import Linux

/// A range of an open file: a file of a layout, or an entry of an archive. Reading never moves the file's offset, so
/// several threads can read blobs of one archive.
package struct BlobFile: Sendable {
    // A class, because a descriptor has one owner and an archive has many blobs.
    package final class Shared: Sendable {
        package let fd: OwnedFD
        package init(_ fd: consuming OwnedFD) { self.fd = fd }
    }

    private let file: Shared
    /// In bytes.
    private let offset: UInt64
    package let size: UInt64
    private let arrival: (any BlobArrival)?

    package init(_ file: Shared, offset: UInt64, size: UInt64) {
        self.file = file
        self.offset = offset
        self.size = size
        arrival = nil
    }

    /// A whole file that is still being written.
    package init(_ file: Shared, size: UInt64, arrival: any BlobArrival) {
        self.file = file
        offset = 0
        self.size = size
        self.arrival = arrival
    }

    package func source() -> Source { Source(file: file, arrival: arrival, offset: offset, left: size) }

    /// The whole blob. Failure when it is longer than `limit` bytes, or shorter than it was.
    package func contents(limit: Int, name: String) throws -> [UInt8] {
        guard size <= UInt64(limit) else {
            throw Failure("\(name) has \(size) bytes; more than \(limit) are not read")
        }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        let count = try naming("read \(name)") {
            try bytes.withUnsafeMutableBytes { try file.fd.readFully(into: $0, at: offset) }
        }
        guard count == bytes.count else {
            throw Failure("\(name) is truncated: \(count) of \(size) bytes are there")
        }
        return bytes
    }

    package struct Source: ByteSource {
        let file: Shared
        let arrival: (any BlobArrival)?
        var offset: UInt64
        var left: UInt64

        package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            let want = Int(min(UInt64(buffer.count), left))
            // As many bytes as have arrived, as with a complete file.
            if let arrival, want > 0 {
                let end = offset + UInt64(want)
                var there = try arrival.arrived(beyond: offset)
                while there < end, case let more = try arrival.arrived(beyond: there), more > there {
                    there = more
                }
            }
            let count = try file.fd.readFully(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<want]),
                at: offset
            )
            offset += UInt64(count)
            // A file that ends too early is at its end: the reader knows how long it should be.
            left = count < want ? 0 : left - UInt64(count)
            return count
        }

        package mutating func skip(_ count: UInt64) throws -> UInt64 {
            let skipped = min(count, left)
            offset += skipped
            left -= skipped
            return skipped
        }
    }
}

/// The bytes of a file that is being written.
package protocol BlobArrival: Sendable {
    /// Waits until there are more than the first `offset` bytes, and returns how many there are, or `offset` at the
    /// end. Failure when no more will come.
    func arrived(beyond offset: UInt64) throws -> UInt64
}
