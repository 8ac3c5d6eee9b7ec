import CLinux
import Glibc
import Linux
import Overlay
import SystemPackage

/// An open file of which the upper has a part of the data and the lower the rest; see `PartialData`.
struct PartialFile {
    let file: OpenFile
    let data: PartialData
    let node: Node
    let lower: any LowerTree
    let upper: Upper
    let unsealed: UnsealedFiles

    // MARK: - Reading

    /// pread(2). It takes no lock, so filling holes never delays it: each piece is read from where it was at
    /// some moment of the call.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FSError) -> Int {
        let size = try size()
        guard offset < size else { return 0 }
        let end = offset + min(UInt64(buffer.count), size - offset)
        var position = offset
        while position < end {
            let run = try run(at: position, to: end)
            let piece = UnsafeMutableRawBufferPointer(
                rebasing: buffer[Int(position - offset)..<Int(run.end - offset)]
            )
            if run.isLower {
                try readLower(into: piece, at: position)
            } else {
                let count = try FSError.wrap { () throws(Errno) in
                    try file.fd.readFully(into: piece, at: position)
                }
                // The file was truncated meanwhile.
                guard count == piece.count else { return Int(position - offset) + count }
            }
            position = run.end
        }
        return Int(end - offset)
    }

    /// Which side has the data at `position`, and how far that side's data goes, at most to `end`.
    func run(at position: UInt64, to end: UInt64) throws(FSError) -> (isLower: Bool, end: UInt64) {
        while true {
            let limit = data.limit
            guard position < limit else { return (false, end) }
            let known = data.known.end(from: position, to: min(end, limit))
            if known > position { return (false, known == limit ? end : known) }
            let run = try FSError.wrap { () throws(Errno) -> (Bool, UInt64) in
                let next = try file.fd.data(from: position) ?? .max
                if next > position { return (true, min(next, limit, end)) }
                let hole = try file.fd.hole(from: position) ?? .max
                data.known.insert(position..<min(hole, limit), isToLimit: hole >= limit)
                return (false, hole < limit ? min(hole, end) : end)
            }
            // If the limit fell before the hole was found, the hole says nothing.
            if data.limit == limit { return run }
        }
    }

    /// lseek(2) with SEEK_DATA or SEEK_HOLE: there is data where either file has it.
    func seek(_ offset: UInt64, _ whence: CInt) throws(FSError) -> UInt64 {
        let size = try size()
        guard offset < size else { throw .system(.noSuchAddressOrDevice) }
        let limit = min(data.limit, size)
        if whence == SEEK_DATA {
            let upper = try FSError.wrap { () throws(Errno) in try file.fd.data(from: offset) } ?? .max
            let below = offset < limit ? try lowerData(from: offset) : .max
            let found = below < limit ? min(upper, below) : upper
            guard found < size else { throw .system(.noSuchAddressOrDevice) }
            return found
        }
        var position = offset
        while position < size {
            let hole = try FSError.wrap { () throws(Errno) in try file.fd.hole(from: position) } ?? size
            guard hole < limit else { return min(hole, size) }
            let below = min(try lowerHole(from: hole), limit)
            if below == hole { return hole }
            position = below
        }
        return size
    }

    func lowerData(from offset: UInt64) throws(FSError) -> UInt64 {
        let place = try lower.locate(data.inode)
        // A file packed with others has no holes.
        guard place.isWhole else { return offset }
        return try FSError.wrap { () throws(Errno) in
            try place.file.fd.data(from: place.start + offset).map { $0 - place.start } ?? .max
        }
    }

    func lowerHole(from offset: UInt64) throws(FSError) -> UInt64 {
        let place = try lower.locate(data.inode)
        guard place.isWhole else { return .max }
        return try FSError.wrap { () throws(Errno) in
            try place.file.fd.hole(from: place.start + offset).map { $0 - place.start } ?? .max
        }
    }

    func readLower(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FSError) {
        guard try lower.read(data.inode, into: buffer, at: offset) == buffer.count else {
            throw .system(.ioError)
        }
    }

    func size() throws(FSError) -> UInt64 {
        try FSError.wrap { () throws(Errno) in UInt64(clamping: try file.fd.status().st_size) }
    }
}
