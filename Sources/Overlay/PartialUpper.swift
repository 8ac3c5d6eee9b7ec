package import Linux
package import SystemPackage

import Glibc

/// An open upper file of which some data may still be in the layers: what is a hole below its limit.
///
/// A mount may be writing to it. What makes a hole of the upper's own, as cutting the file off does, lowers the limit
/// before the file can grow again, so a hole is the layers' only where the limit, read after the hole was found, says
/// so; the limit is no more than the size, and is 0 once the mark has gone.
package final class PartialUpper {
    private let file: OpenFile
    private let marks: [OverlayMarks]
    /// Holes, whatever lseek(2) says of them.
    private let blocksWithoutData: [Range<UInt64>]

    /// `marks`: those in use in the upper it is in.
    package init(_ file: OpenFile, _ marks: [OverlayMarks]) throws(Errno) {
        blocksWithoutData = try file.fd.blocksWithoutData(
            below: UInt64(clamping: file.fd.status().st_size)
        )
        self.file = file
        self.marks = marks
    }

    /// Fills `buffer` from byte `offset` unless the file ends before; how many bytes it got. `readLower` does the same for
    /// what has the rest, of `size` bytes.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64,
        over size: UInt64,
        _ readLower: (UnsafeMutableRawBufferPointer, UInt64) throws -> Int
    ) throws -> Int {
        var position = offset
        let end = offset + UInt64(buffer.count)
        while position < end {
            let data = try data(from: position)
            let limit = data > position ? min(try limit(), size) : 0
            let isBelow = data > position && position < limit
            let next: UInt64
            if isBelow {
                next = min(data, limit, end)
            } else if data > position {
                // A hole of its own, or its end.
                next = min(data, end)
            } else {
                next = min(try hole(from: position), end)
            }
            let piece = UnsafeMutableRawBufferPointer(
                rebasing: buffer[Int(position - offset)..<Int(next - offset)]
            )
            if isBelow {
                guard try readLower(piece, position) == piece.count else {
                    throw Errno.ioError
                }
                position = next
            } else {
                let count = try file.fd.readFully(into: piece, at: position)
                position += UInt64(count)
                if count < piece.count { break }
            }
        }
        return Int(position - offset)
    }

    /// Below which holes are the layers' data, at this moment.
    private func limit() throws(Errno) -> UInt64 {
        // In this order: it grows only after the limit was noted, and the mark goes before the limit does.
        let size = UInt64(clamping: try file.fd.status().st_size)
        for marks in marks {
            let limit = try Xattr.get(marks.limit, of: file.fd)
            guard let metacopy = try Xattr.get(marks.metacopy, of: file.fd) else { continue }
            let data = try MarkedData(metacopy: metacopy, marks) { () throws(Errno) in limit }
            guard case .partial(let mark) = data else { throw .ioError }
            return min(size, mark.limit ?? .max)
        }
        return 0
    }

    /// The largest number where there is no more.
    private func data(from offset: UInt64) throws(Errno) -> UInt64 {
        var found = try file.fd.data(from: offset) ?? .max
        while let blocks = blocksWithoutData.first(where: { $0.contains(found) }) {
            found = try file.fd.data(from: blocks.upperBound) ?? .max
        }
        return found
    }

    private func hole(from offset: UInt64) throws(Errno) -> UInt64 {
        let next = blocksWithoutData.first { $0.upperBound > offset }
        return min(try file.fd.hole(from: offset) ?? .max, next.map { max($0.lowerBound, offset) } ?? .max)
    }
}
