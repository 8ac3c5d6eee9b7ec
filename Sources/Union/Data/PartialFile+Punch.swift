import Glibc
import Linux
import Overlay
import SystemPackage

/// Holes below the limit, where a hole stands for the lower's data. A range becomes a hole where the lower
/// has a hole too, or where completing the rest of the file copies less of the lower than the range has;
/// otherwise it gets zeros.
extension PartialFile {
    /// FALLOC_FL_PUNCH_HOLE. Precondition: `range` ends below the limit.
    func punch(_ range: Range<UInt64>, mode: CInt) throws(FSError) {
        let parts = try lowerRanges(in: range)
        let inside = parts.reduce(0) { $0 + UInt64($1.count) }
        // The range spans more than one block.
        if inside > 0, range.lowerBound / data.block < range.upperBound / data.block,
            try isLessLeft(outside: range, than: inside)
        {
            try fill(outside: range)
            return try call(mode, range)
        }
        var done = range.lowerBound
        for part in blocks(of: parts, in: range) {
            try punchNothing(done..<part.lowerBound, mode: mode)
            try writeZeros(part)
            done = part.upperBound
        }
        try punchNothing(done..<range.upperBound, mode: mode)
    }

    /// Where the lower has data in `range`.
    private func lowerRanges(in range: Range<UInt64>) throws(FSError) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let start = try lowerData(from: position)
            guard start < range.upperBound else { break }
            position = min(try lowerHole(from: start), range.upperBound)
            found.append(start..<position)
        }
        return found
    }

    /// `parts` rounded to whole blocks and clipped to `range`, each block once.
    private func blocks(of parts: [Range<UInt64>], in range: Range<UInt64>) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        var done = range.lowerBound
        for part in parts {
            let start = max(part.lowerBound / data.block * data.block, done)
            let end = min((part.upperBound + data.block - 1) / data.block * data.block, range.upperBound)
            guard start < end else { continue }
            found.append(start..<end)
            done = end
        }
        return found
    }

    /// Makes holes where the lower has holes too. (Blocks may still be known to have data: they read the same
    /// either way.)
    private func punchNothing(_ range: Range<UInt64>, mode: CInt) throws(FSError) {
        let start = (range.lowerBound + data.block - 1) / data.block * data.block
        let end = range.upperBound / data.block * data.block
        guard start < end else { return try writeZeros(range) }
        try writeZeros(range.lowerBound..<start)
        do {
            data.lock.lockAlone()
            defer { data.lock.unlock() }
            try unseal()
            try call(mode, start..<end)
        }
        try writeZeros(end..<range.upperBound)
    }

    private func isLessLeft(outside range: Range<UInt64>, than count: UInt64) throws(FSError) -> Bool {
        var left: UInt64 = 0
        for part in outside(range) {
            for hole in try holes(in: part) {
                left += try lowerRanges(in: hole).reduce(0) { $0 + UInt64($1.count) }
                if left > count { return false }
            }
        }
        return true
    }

    private func outside(_ range: Range<UInt64>) -> [Range<UInt64>] {
        let limit = data.limit
        return [0..<min(range.lowerBound, limit), min(range.upperBound, limit)..<limit]
    }

    /// Copies all of the lower's data but that in `range`, which reads as zeros from then on where nothing
    /// was written. The first and the last block of `range` get their zeros a little earlier.
    private func fill(outside range: Range<UInt64>) throws(FSError) {
        for whole in outside(range) {
            for part in blocks(of: try lowerRanges(in: whole), in: whole) { try fillInSteps(part) }
        }
        // The data must be on disk before the mark goes.
        if !upper.isVolatile {
            try FSError.wrap { () throws(Errno) in try file.fd.synchronize() }
        }
        data.lock.lockAlone()
        defer { data.lock.unlock() }
        try finish()
    }

    private func fillInSteps(_ part: Range<UInt64>) throws(FSError) {
        var position = part.lowerBound
        while position < part.upperBound {
            let next = min((position + 1 << 20) / data.block * data.block, part.upperBound)
            data.lock.lockAlone()
            defer { data.lock.unlock() }
            try unseal()
            try fill(position..<max(position, min(next, data.limit)))
            position = next
        }
    }
}
