/// A name's position in the listing of its directory, and the offset that tells it to the kernel.
///
/// The position follows from the name alone: whatever changes in the directory, and whichever daemon serves it, a
/// name never moves. So a stream that goes on behind the last name it got meets no name twice and leaves out none
/// that was there all the time, and it ends even if names are renamed, replaced or made again while it is read.
///
/// **Offsets** (d_off), which the kernel takes for signed:
/// - 0, 1 and 2 are before `.`, `..` and the first name;
/// - from 3 to 2^31 - 2, one for every 2^17 keys: before the first name whose key has at least these upper 31 bits.
///   Nearly all names get such an offset, so that 32-bit programs can read the directory;
/// - 2^31 - 1 is behind all names;
/// - with bit 62 set: 48 bits of key and 14 of rank, for a name whose next one has the same upper 31 bits.
package struct NamePosition: Comparable, Sendable {
    /// 48 bits of the name's hash, within the bounds that the offsets leave.
    package let key: UInt64
    /// How many names with the same key come before. One in 50,000 directories of 100,000 names has two names with
    /// one key by chance; from 2^14 on they would not be told apart.
    package let rank: UInt64

    package init(key: UInt64, rank: UInt64) {
        self.key = key
        self.rank = rank
    }

    package static func < (one: NamePosition, other: NamePosition) -> Bool {
        (one.key, one.rank) < (other.key, other.rank)
    }

    /// The offset behind `..`.
    package static let firstOffset: UInt64 = 2
    /// The offset behind all names, including those that are made later.
    package static let endOffset: UInt64 = 1 << 31 - 1

    private static let shortShift: UInt64 = 17
    private static let rankBits: UInt64 = 14
    private static let long: UInt64 = 1 << 62

    package static func key(of name: UnsafeRawBufferPointer) -> UInt64 {
        let key = NameHash.hash(name) >> 16
        let least = firstOffset << shortShift
        let most = (endOffset - 1) << shortShift - 1
        return min(max(key, least), most)
    }

    /// The position to go on from at an offset, at least `firstOffset`; nil where nothing follows. seekdir(3) may
    /// give any.
    package init?(offset: UInt64) {
        if offset >= NamePosition.long {
            let place = offset - NamePosition.long
            self.init(
                key: place >> NamePosition.rankBits & (1 << 48 - 1),
                rank: place & (1 << NamePosition.rankBits - 1)
            )
        } else {
            guard offset < NamePosition.endOffset else { return nil }
            self.init(key: offset << NamePosition.shortShift, rank: 0)
        }
    }

    /// The offset behind this name. `next`: the name that follows, nil where that is not known.
    package func offset(before next: NamePosition?) -> UInt64 {
        let short = key >> NamePosition.shortShift
        if let next, next.key >> NamePosition.shortShift > short { return short + 1 }
        let most: UInt64 = 1 << NamePosition.rankBits - 1
        let (key, rank) = rank < most ? (key, rank + 1) : (key + 1, 0)
        return NamePosition.long | key << NamePosition.rankBits | rank
    }
}
