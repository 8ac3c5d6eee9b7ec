/// GNU tar's three ways to write a file with holes in PAX: records of offset and length (0.0), one record with the
/// whole map (0.1), or a map in front of the data (1.0).
struct PaxSparse {
    /// How many extents a file may have: 16 MB of memory, and far more than a filesystem would return.
    static let extentLimit = 1 << 20

    var name: [UInt8]?
    var size: UInt64?
    var major: UInt64?
    var minor: UInt64?
    /// Offsets and lengths, alternating.
    private var numbers: [UInt64] = []
    private var isPresent = false

    /// Whether the map is in front of the data, in decimal lines.
    var isMapInData: Bool { major == 1 && minor == 0 }
    var isSparse: Bool { isPresent || isMapInData }

    /// One record; `key` without `GNU.sparse.`.
    mutating func set(_ key: Substring, _ value: ArraySlice<UInt8>) throws(TarError) {
        switch key {
        case "major": major = try TarNumber.decimal(value)
        case "minor": minor = try TarNumber.decimal(value)
        case "name":
            guard !value.contains(0) else { throw TarError("has a NUL in it") }
            name = Array(value)
        case "size", "realsize": size = try TarNumber.decimal(value)
        case "numblocks": isPresent = true
        case "offset":
            guard numbers.count % 2 == 0 else { throw TarError("comes before the last extent's length") }
            try append(value)
        case "numbytes":
            guard numbers.count % 2 == 1 else { throw TarError("comes before its offset") }
            try append(value)
        case "map":
            isPresent = true
            numbers = []
            if value.isEmpty { return }
            for number in value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                try append(number)
            }
        default: break
        }
    }

    private mutating func append(_ value: ArraySlice<UInt8>) throws(TarError) {
        guard numbers.count < 2 * Self.extentLimit else { throw TarError("has more extents than mica takes") }
        isPresent = true
        numbers.append(try TarNumber.decimal(value))
    }

    /// The map of versions 0.0 and 0.1.
    func extents() throws(TarError) -> [TarEntry.Extent] {
        guard numbers.count % 2 == 0 else { throw TarError("its map of holes is cut short") }
        return stride(from: 0, to: numbers.count, by: 2).map {
            TarEntry.Extent(offset: numbers[$0], length: numbers[$0 + 1])
        }
    }

    /// Checks a map of holes against the file's size and the bytes that the tar holds; drops empty extents.
    static func check(
        _ extents: [TarEntry.Extent],
        size: UInt64,
        stored: UInt64
    ) throws(TarError) -> [TarEntry.Extent] {
        var end: UInt64 = 0
        var sum: UInt64 = 0
        for extent in extents {
            let (next, overflow) = extent.offset.addingReportingOverflow(extent.length)
            guard !overflow, extent.offset >= end, next <= size else {
                throw TarError("its map of holes is out of order or leaves the file's \(size) bytes")
            }
            end = next
            // Never more than `end`, hence no overflow.
            sum += extent.length
        }
        guard sum == stored else {
            throw TarError("its map of holes speaks of \(sum) bytes of data, the tar holds \(stored)")
        }
        return extents.filter { $0.length > 0 }
    }
}
