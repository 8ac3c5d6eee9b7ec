import Linux
import Tar
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Damaged tars` {
    @Test func `cut short at any byte are refused or lack their end marker`() throws {
        let tar = try `Tar writer`.tar()
        for end in 0..<tar.count - 1 {
            do {
                let listing = try Listing(Array(tar[..<end]))
                #expect(!listing.hasEndMarker, "cut at \(end)")
                #expect(end % 512 == 0, "cut at \(end)")
            } catch is Failure {}
        }
    }

    @Test func `with bytes changed at random never crash the reader`() throws {
        var random = SplitMix(seed: 0x6d69_6361)
        let tar = try `Tar writer`.tar()
        for _ in 0..<4000 {
            var damaged = tar
            for _ in 0...random.next() % 8 {
                let at = Int(random.next() % UInt64(damaged.count))
                damaged[at] = UInt8(truncatingIfNeeded: random.next())
                // Half of the time, past the checksum.
                if random.next() % 2 == 0 { Self.repairChecksum(&damaged, at / 512 * 512) }
            }
            do { _ = try Listing(damaged) } catch is Failure {}
        }
    }

    /// Makes the block at `start` a header with a right checksum, if it looks like one.
    static func repairChecksum(_ tar: inout [UInt8], _ start: Int) {
        guard start + 512 <= tar.count, tar[start + 257] == 0x75 else { return }
        for position in 148..<156 { tar[start + position] = 0x20 }
        var rest = tar[start..<start + 512].reduce(0) { $0 + Int($1) }
        for position in (148..<154).reversed() {
            tar[start + position] = 0x30 + UInt8(rest & 7)
            rest >>= 3
        }
        tar[start + 154] = 0
    }
}

/// A generator with a seed, so that a failure can be had again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
