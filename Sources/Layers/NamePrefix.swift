import Glibc

/// The order of names in an index: memcmp(3), shorter first.
enum NamePrefix {
    /// The first eight bytes as one big-endian number, zero-padded: its order never contradicts that of the names.
    @inline(__always)
    static func of(_ name: UnsafeRawBufferPointer) -> UInt64 {
        if name.count >= 8 { return UInt64(bigEndian: name.loadUnaligned(as: UInt64.self)) }
        var word: UInt64 = 0
        for position in 0..<name.count { word |= UInt64(name[position]) << (56 - 8 * UInt64(position)) }
        return word
    }

    @inline(__always)
    static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        let common = min(left.count, right.count)
        if common > 0, let a = left.baseAddress, let b = right.baseAddress {
            let order = memcmp(a, b, common)
            if order != 0 { return Int(order) }
        }
        return left.count - right.count
    }
}
