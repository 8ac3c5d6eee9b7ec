package import Linux
package import SystemPackage

import Glibc

/// An open upper file of which the layers may have the rest of the data, where it has holes below its limit.
///
/// A mount may be writing to it. A change that makes a hole of the upper's own, such as a truncation, lowers the
/// limit before the file can grow again, so a hole is the layers' only if the limit, read after the hole was found,
/// says so. The limit is at most the size, and 0 once the mark is gone.
package final class PartialUpper {
    private let file: OpenFile
    private let marks: [OverlayMarks]
    /// Ranges that count as holes, whatever lseek(2) says of them.
    private let blocksWithoutData: [Range<UInt64>]

    /// `marks`: those in use in the file's upper.
    package init(_ file: OpenFile, _ marks: [OverlayMarks]) throws(Errno) {
        blocksWithoutData = try file.fd.blocksWithoutData(
            below: UInt64(clamping: file.fd.status().st_size)
        )
        self.file = file
        self.marks = marks
    }

    /// Fills `buffer` from byte `offset` on, as far as the file goes; returns how many bytes. `readLower` does the
    /// same for the lower file, of `size` bytes.
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
                // A hole of the file's own, or its end.
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

    /// The current limit, below which holes stand for the layers' data.
    private func limit() throws(Errno) -> UInt64 {
        // In this order: the file grows only after the limit was recorded, and the mark is removed before the limit.
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

    /// The next data; the largest number where there is no more.
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
