/// SipHash-1-3 of a name under a fixed key: unlike Swift's own hash, the same in every process.
///
/// It spreads names evenly; nothing depends on the key being secret.
enum NameHash {
    static func hash(_ name: UnsafeRawBufferPointer) -> UInt64 {
        var state = State()
        var position = 0
        while position + 8 <= name.count {
            state.absorb(UInt64(littleEndian: name.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
            position += 8
        }
        var last = UInt64(truncatingIfNeeded: name.count) << 56
        var shift: UInt64 = 0
        while position < name.count {
            last |= UInt64(name[position]) << shift
            shift += 8
            position += 1
        }
        state.absorb(last)
        return state.finish()
    }

    private struct State {
        private var v0: UInt64 = 0x736f_6d65_7073_6575
        private var v1: UInt64 = 0x646f_7261_6e64_6f6d
        private var v2: UInt64 = 0x6c79_6765_6e65_7261
        private var v3: UInt64 = 0x7465_6462_7974_6573

        @inline(__always)
        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            mix()
            v0 ^= word
        }

        @inline(__always)
        mutating func finish() -> UInt64 {
            v2 ^= 0xff
            for _ in 0..<3 { mix() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        @inline(__always)
        private mutating func mix() {
            v0 = v0 &+ v1
            v1 = turn(v1, 13) ^ v0
            v0 = turn(v0, 32)
            v2 = v2 &+ v3
            v3 = turn(v3, 16) ^ v2
            v0 = v0 &+ v3
            v3 = turn(v3, 21) ^ v0
            v2 = v2 &+ v1
            v1 = turn(v1, 17) ^ v2
            v2 = turn(v2, 32)
        }

        @inline(__always)
        private func turn(_ word: UInt64, _ bits: UInt64) -> UInt64 { word << bits | word >> (64 - bits) }
    }
}
