import Synchronization

/// Which blocks of a partial file are known to have data of their own: one bit a block, as far as a request
/// has looked. A block below the limit keeps its data, so this never becomes wrong; a filesystem that has to
/// walk over thousands of extents to find the next hole is asked once.
final class KnownBlocks: Sendable {
    /// Bytes.
    private let block: UInt64
    private let words = Mutex<[UInt64]>([])

    init(block: UInt64) { self.block = block }

    /// Everything from `position` up to the result, at most `end`, is known to have data; `position` if it
    /// isn't.
    func end(from position: UInt64, to end: UInt64) -> UInt64 {
        words.withLock { words in
            var number = position / block
            while number * block < end, words.has(number) { number += 1 }
            return max(position, min(number * block, end))
        }
    }

    /// Records that `range` has data, up to the limit or at least to its own end. A block that is only partly
    /// in `range` is left out, unless the limit is in it.
    func insert(_ range: Range<UInt64>, isToLimit: Bool) {
        let first = (range.lowerBound + block - 1) / block
        let end = isToLimit ? (range.upperBound + block - 1) / block : range.upperBound / block
        guard first < end else { return }
        words.withLock { words in
            let count = Int(clamping: (end + 63) / 64)
            // 64 GiB in blocks of 4 KiB.
            guard count <= 1 << 18 else { return }
            if words.count < count { words += repeatElement(0, count: count - words.count) }
            for number in first..<end { words[Int(number / 64)] |= 1 << (number % 64) }
        }
    }
}

extension [UInt64] {
    fileprivate func has(_ number: UInt64) -> Bool {
        let word = Int(clamping: number / 64)
        return word < count && self[word] & 1 << (number % 64) != 0
    }
}
