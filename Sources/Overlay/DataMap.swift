import Linux
import SystemPackage

/// Which bytes of a file are data, and which are in holes.
enum DataMap {
    /// A hash of all data ranges below `limit` (bytes), equal for all files that have equal ranges, on whatever
    /// filesystem: 64 bits of FNV-1a of `limit` and of each range's two ends.
    static func hash(of file: borrowing OwnedFD, below limit: UInt64) throws(Errno) -> UInt64 {
        var hash = FNV()
        hash.add(limit)
        var position: UInt64 = 0
        while position < limit, let start = try file.data(from: position), start < limit {
            let end = min(try file.hole(from: start) ?? .max, limit)
            hash.add(start)
            hash.add(end)
            position = end
        }
        return hash.value
    }
}

/// FNV-1a of 64 bits: http://www.isthe.com/chongo/tech/comp/fnv.
package struct FNV {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    package mutating func add(_ number: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) {
            value = (value ^ (number >> UInt64(shift) & 0xff)) &* 0x100_0000_01b3
        }
    }
}
