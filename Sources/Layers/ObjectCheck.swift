import Digests
import Linux
import SystemPackage

import Glibc

/// Reads an object to check that it is what its name says.
struct ObjectCheck: ~Copyable {
    private static let pieceSize = 1 << 20

    private let fd: OwnedFD
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceSize, alignment: 4096)

    init(_ path: FilePath) throws(Errno) { fd = try OwnedFD.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) }

    deinit { buffer.deallocate() }

    /// `extents`: where the object has data, ascending; nil: everywhere. EIO and the like come from the disk.
    func isWhole(
        _ digest: Digest,
        size: UInt64,
        extents: [(offset: UInt64, length: UInt64)]?
    ) throws(Errno) -> Bool {
        let status = try fd.status()
        guard status.st_mode & S_IFMT == S_IFREG, UInt64(clamping: status.st_size) == size else {
            return false
        }
        let extents = extents ?? [(0, size)]
        guard try hasHoles(beside: extents, size: size) else { return false }
        var hash = TreeHash()
        for extent in extents {
            var done: UInt64 = 0
            while let piece = try piece(of: extent, from: &done) { hash.update(piece) }
            guard done == extent.length else { return false }
        }
        if ObjectStore.name(of: hash.finish(), size: size, extents: extents) == digest { return true }
        guard extents.count == 1, extents[0].length == size else { return false }
        // Older stores named them by SHA-256.
        var old = SHA256()
        var done: UInt64 = 0
        while let piece = try piece(of: extents[0], from: &done) { old.update(piece) }
        return done == size && old.finish() == digest
    }

    /// Whether there are only zeros beside `extents`.
    func hasHoles(beside extents: [(offset: UInt64, length: UInt64)], size: UInt64) throws(Errno) -> Bool {
        var end: UInt64 = 0
        for extent in extents {
            guard extent.offset >= end, extent.offset <= size, extent.length <= size - extent.offset,
                try isZero(end..<extent.offset)
            else { return false }
            end = extent.offset + extent.length
        }
        return try isZero(end..<size)
    }

    /// The next bytes of an extent, of which `done` have been read; nil at its end, or the file's.
    private func piece(
        of extent: (offset: UInt64, length: UInt64),
        from done: inout UInt64
    ) throws(Errno) -> UnsafeRawBufferPointer? {
        let wanted = Int(min(UInt64(buffer.count), extent.length - done))
        guard wanted > 0 else { return nil }
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        guard try fd.readFully(into: piece, at: extent.offset + done) == wanted else { return nil }
        done += UInt64(wanted)
        return UnsafeRawBufferPointer(piece)
    }

    /// Reads only what is not in holes.
    private func isZero(_ range: Range<UInt64>) throws(Errno) -> Bool {
        var position = range.lowerBound
        while position < range.upperBound {
            let data = fd.use { lseek($0, off_t(clamping: position), SEEK_DATA) }
            if data == -1 {
                guard Errno.last == .noSuchAddressOrDevice else { throw .last }
                return true
            }
            position = UInt64(data)
            guard position < range.upperBound else { return true }
            let wanted = Int(min(UInt64(buffer.count), range.upperBound - position))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
            let count = try fd.readFully(into: piece, at: position)
            guard piece[..<count].allSatisfy({ $0 == 0 }) else { return false }
            guard count == wanted else { return true }
            position += UInt64(count)
        }
        return true
    }
}
