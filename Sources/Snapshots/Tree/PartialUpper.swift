package import Layers
package import Linux
package import SystemPackage

import Glibc

/// An open upper file of which some data may still be in the layers: what is a hole below its limit.
///
/// A mount may be writing to it. What makes a hole of the upper's own, as cutting the file off does, lowers the limit
/// before the file can grow again, so a hole is the layers' only where the limit, read after the hole was found, says
/// so; the limit is no more than the size, and is 0 once the mark has gone.
package final class PartialUpper {
    /// What its attribute `metacopy` is; see `UpperMarks.partial` in the union.
    private static let mark = [UInt8(ascii: "p")]

    private let fd: OwnedFD
    private let prefixes: [XattrName]
    /// Holes, whatever lseek(2) says of them.
    private let blocksWithoutData: [Range<UInt64>]

    /// `prefixes`: of the marks in the upper it is in.
    package init(_ fd: consuming OwnedFD, _ prefixes: [XattrName]) throws(Errno) {
        blocksWithoutData = try fd.blocksWithoutData(below: UInt64(clamping: fd.status().st_size))
        self.fd = fd
        self.prefixes = prefixes
    }

    /// Fills `buffer` from byte `offset` unless the file ends before; how many bytes it got. `inode`: what has the rest.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64,
        _ contents: LayerContents,
        _ inode: InodeRecord
    ) throws -> Int {
        var position = offset
        let end = offset + UInt64(buffer.count)
        while position < end {
            let data = try data(from: position)
            let limit = data > position ? min(try limit(), inode.size) : 0
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
                guard try contents.read(inode, into: piece, at: position) == piece.count else {
                    throw Errno.ioError
                }
                position = next
            } else {
                let count = try fd.readFully(into: piece, at: position)
                position += UInt64(count)
                if count < piece.count { break }
            }
        }
        return Int(position - offset)
    }

    /// Below which holes are the layers' data, at this moment.
    private func limit() throws(Errno) -> UInt64 {
        // In this order: it grows only after the limit was noted, and the mark goes before the limit does.
        let size = UInt64(clamping: try fd.status().st_size)
        for prefix in prefixes {
            let limit = try Xattr.get(prefix + "mica.limit", of: fd)
            guard let mark = try Xattr.get(prefix + "metacopy", of: fd) else { continue }
            guard mark == PartialUpper.mark || mark.count == FileBirth.size else { throw .ioError }
            guard let limit else { return size }
            guard limit.count == 8 else { throw .ioError }
            return min(size, limit.reversed().reduce(0) { $0 << 8 | UInt64($1) })
        }
        return 0
    }

    private func data(from offset: UInt64) throws(Errno) -> UInt64 {
        var found = try seek(offset, SEEK_DATA)
        while let blocks = blocksWithoutData.first(where: { $0.contains(found) }) {
            found = try seek(blocks.upperBound, SEEK_DATA)
        }
        return found
    }

    private func hole(from offset: UInt64) throws(Errno) -> UInt64 {
        let next = blocksWithoutData.first { $0.upperBound > offset }
        return min(try seek(offset, SEEK_HOLE), next.map { max($0.lowerBound, offset) } ?? .max)
    }

    /// lseek(2); the largest number where there is nothing more of the kind.
    private func seek(_ offset: UInt64, _ whence: CInt) throws(Errno) -> UInt64 {
        let found = fd.use { lseek($0, off_t(clamping: offset), whence) }
        if found >= 0 { return UInt64(found) }
        guard Errno.last == .noSuchAddressOrDevice else { throw .last }
        return .max
    }
}
