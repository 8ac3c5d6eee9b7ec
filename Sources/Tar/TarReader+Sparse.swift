import Linux

extension TarReader {
    /// Finds a file's map of holes in one of the four places where GNU tar has put it over the years.
    mutating func expectSparse(
        _ entry: inout TarEntry,
        _ header: TarHeader,
        _ pax: PaxSparse,
        _ stored: UInt64
    ) throws {
        let extents: [TarEntry.Extent]
        var consumed: UInt64 = 0
        if pax.isMapInData {
            entry.size = try size(pax.size)
            (extents, consumed) = try mapInData(stored)
        } else if pax.isSparse {
            entry.size = try size(pax.size)
            extents = try pax.extents()
        } else {
            entry.size = try size(UInt64(exactly: header.number(483..<495, "its real size")))
            extents = try mapInHeader(header)
        }
        entry.extents = try PaxSparse.check(extents, size: entry.size, stored: stored - consumed)
        try expectContent(stored, consumed: consumed)
    }

    private func size(_ size: UInt64?) throws(TarError) -> UInt64 {
        guard let size, size <= UInt64(Int64.max) else { throw TarError("has holes but no possible size") }
        return size
    }

    /// Old GNU: four extents in the header, twenty-one in each block that follows.
    private mutating func mapInHeader(_ header: TarHeader) throws -> [TarEntry.Extent] {
        var extents: [TarEntry.Extent] = []
        try append(header, at: 386, count: 4, to: &extents)
        var isContinued = header.bytes[482] != 0
        while isContinued {
            let block = TarHeader(try requireBlock("the end of a map of holes"))
            try append(block, at: 0, count: 21, to: &extents)
            isContinued = block.bytes[504] != 0
            guard extents.count <= PaxSparse.extentLimit else {
                throw TarError("its map of holes has more extents than mica takes")
            }
        }
        return extents
    }

    private func append(
        _ block: TarHeader,
        at start: Int,
        count: Int,
        to extents: inout [TarEntry.Extent]
    ) throws(TarError) {
        for slot in 0..<count {
            let place = start + 24 * slot
            // An empty slot ends the map.
            if block.bytes[place] == 0 { return }
            let offset = try block.number(place..<place + 12, "its map of holes")
            let length = try block.number(place + 12..<place + 24, "its map of holes")
            guard let offset = UInt64(exactly: offset), let length = UInt64(exactly: length) else {
                throw TarError("its map of holes has a negative number")
            }
            extents.append(TarEntry.Extent(offset: offset, length: length))
        }
    }

    /// PAX 1.0: lines of decimal digits, the number of extents first, padded to whole blocks. Returns also how many
    /// bytes of the data the map took.
    private mutating func mapInData(_ stored: UInt64) throws -> ([TarEntry.Extent], UInt64) {
        var numbers: [UInt64] = []
        var expected = 1
        var digits: [UInt8] = []
        var consumed: UInt64 = 0
        while numbers.count < expected {
            guard consumed + 512 <= stored else { throw TarError("its map of holes is longer than its data") }
            let block = try requireBlock("the end of a map of holes")
            consumed += 512
            for byte in block where numbers.count < expected {
                guard byte == 0x0a else {
                    guard digits.count < 20 else { throw TarError("its map of holes has an endless number") }
                    digits.append(byte)
                    continue
                }
                let number: UInt64
                do { number = try TarNumber.decimal(digits) } catch {
                    throw TarError("a number in its map of holes \(error.reason)")
                }
                digits = []
                numbers.append(number)
                if numbers.count == 1 {
                    guard number <= PaxSparse.extentLimit else {
                        throw TarError("its map of holes has more extents than mica takes: \(number)")
                    }
                    expected = 1 + 2 * Int(number)
                }
            }
        }
        let extents = stride(from: 1, to: numbers.count, by: 2).map {
            TarEntry.Extent(offset: numbers[$0], length: numbers[$0 + 1])
        }
        return (extents, consumed)
    }
}
