import Synchronization

/// Which blocks of a partial file are known to have data of their own: a bit a block, as far as somebody looked.
/// What has data below the limit keeps it, so this never becomes wrong; and a filesystem that has to walk over
/// thousands of extents to find the next hole is asked once.
final class KnownBlocks: Sendable {
    /// Bytes.
    private let block: UInt64
    private let words = Mutex<[UInt64]>([])

    init(block: UInt64) { self.block = block }

    /// How far from `position` on everything is known to have data, at most to `end`; `position` where it isn't.
    func end(from position: UInt64, to end: UInt64) -> UInt64 {
        words.withLock { words in
            var number = position / block
            while number * block < end, words.has(number) { number += 1 }
            return max(position, min(number * block, end))
        }
    }

    /// `range` has data, to the end of the file or at least to its end. Blocks of which it has only a part are not
    /// taken, unless it is the end of the file's own data.
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
