import CLinux
import Glibc
import Linux
import SystemPackage

/// fallocate(2).
extension PartialFile {
    static let keepsSize: CInt = 1
    static let punchesHole: CInt = 2
    private static let zeroes: CInt = 16
    private static let unshares: CInt = 64

    /// False where all data must be in the upper first.
    func allocate(mode: CInt, offset: Int64, length: Int64) throws(FSError) -> Bool {
        guard offset >= 0, length > 0, !offset.addingReportingOverflow(length).overflow else {
            throw .system(.invalidArgument)
        }
        let range = UInt64(offset)..<UInt64(offset + length)
        switch mode & ~PartialFile.keepsSize {
        case 0, PartialFile.unshares:
            // Filling the holes allocates their room. Blocks that are allocated and not written would count
            // as holes, and ext4 may turn them into zeros when it writes beside them.
            try fill(below: range)
            _ = try change(range) { () throws(FSError) in
                try call(mode, range)
                return Int(length)
            }
        case PartialFile.punchesHole, PartialFile.zeroes:
            let limit = data.limit
            if range.lowerBound >= limit {
                _ = try change(range) { () throws(FSError) in
                    try call(mode, range)
                    return Int(length)
                }
            } else if range.upperBound >= limit {
                try cut(range, mode: mode)
            } else if mode & PartialFile.punchesHole != 0 {
                try punch(range, mode: mode)
            } else {
                try writeZeros(range)
            }
        default: return false
        }
        return true
    }

    func call(_ mode: CInt, _ range: Range<UInt64>) throws(FSError) {
        let result = file.fd.use {
            clinux_fallocate($0, mode, Int64(range.lowerBound), Int64(range.upperBound - range.lowerBound))
        }
        guard result >= 0 else { throw .system(Errno(rawValue: -result)) }
    }

    private func fill(below range: Range<UInt64>) throws(FSError) {
        var position = range.lowerBound / data.block * data.block
        while position < min(range.upperBound, data.limit) {
            guard try fill(from: &position, count: 1 << 20) else { return }
        }
    }

    /// Writes zeros, because a hole here would stand for the lower's data.
    func writeZeros(_ range: Range<UInt64>) throws(FSError) {
        let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { zeros.deallocate() }
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        var done = range.lowerBound
        while done < range.upperBound {
            let count = Int(min(UInt64(zeros.count), range.upperBound - done))
            done += UInt64(try write(UnsafeRawBufferPointer(rebasing: zeros[..<count]), at: done))
        }
    }

    /// Zeroes a range that reaches the limit: the limit falls to its start, so that the range can be a hole.
    private func cut(_ range: Range<UInt64>, mode: CInt) throws(FSError) {
        // Tried beyond all data first, only to learn whether the filesystem can punch holes.
        let punch = PartialFile.punchesHole | PartialFile.keepsSize
        let end = (try size() / data.block + 1) * data.block
        try call(punch, end..<end + data.block)
        data.lock.lockAlone()
        defer { data.lock.unlock() }
        try unseal()
        // The lower's data in front of the zeros, in the block where they begin.
        try fillEdges(of: range.lowerBound / data.block * data.block..<range.lowerBound)
        // The mark first: between the two steps each block has its data or zeros.
        try mark(min(range.lowerBound, data.limit))
        data.lower(to: range.lowerBound)
        try call(punch, range)
        if mode & PartialFile.zeroes != 0 { try call(mode & PartialFile.keepsSize, range) }
    }
}
