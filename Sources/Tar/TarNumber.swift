/// The numbers in a header's fixed-width fields.
enum TarNumber {
    /// Octal digits, or GNU's base 256: two's complement, big-endian, marked by the top bit of the first byte. An
    /// empty field is 0.
    static func parse(_ field: UnsafeRawBufferPointer) throws(TarError) -> Int64 {
        guard let first = field.first, first & 0x80 != 0 else { return try octal(field) }
        return try base256(field)
    }

    private static func octal(_ field: UnsafeRawBufferPointer) throws(TarError) -> Int64 {
        var value: Int64 = 0
        var rest = field[...]
        while let byte = rest.first, byte == 0x20 || byte == 0 { rest = rest.dropFirst() }
        for byte in rest {
            // Bytes after the terminator are left over from a longer value.
            if byte == 0 || byte == 0x20 { break }
            guard byte >= 0x30, byte <= 0x37 else { throw TarError("is not an octal number") }
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 8)
            guard !overflow, shifted <= Int64.max - 7 else { throw TarError("is too large") }
            value = shifted + Int64(byte - 0x30)
        }
        return value
    }

    private static func base256(_ field: UnsafeRawBufferPointer) throws(TarError) -> Int64 {
        let isNegative = (field.first ?? 0) & 0x40 != 0
        var value: Int64 = isNegative ? -1 : 0
        for (position, byte) in field.enumerated() {
            // The mark is not part of the number: it takes the sign's place.
            let byte = position == 0 ? (isNegative ? byte | 0x80 : byte & 0x7f) : byte
            guard value >= Int64.min >> 8, value <= Int64.max >> 8 else { throw TarError("is too large") }
            value = value << 8 | Int64(byte)
        }
        return value
    }

    /// Decimal digits only, as PAX writes sizes and owners.
    static func decimal(_ digits: some Collection<UInt8>) throws(TarError) -> UInt64 {
        guard !digits.isEmpty else { throw TarError("is empty") }
        var value: UInt64 = 0
        for digit in digits {
            guard digit >= 0x30, digit <= 0x39 else { throw TarError("is not a number") }
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = shifted.addingReportingOverflow(UInt64(digit - 0x30))
            guard !overflow, !carry else { throw TarError("is too large") }
            value = sum
        }
        return value
    }

    /// PAX's `[-]seconds[.fraction]`; digits beyond nanoseconds are cut off.
    static func time(_ text: ArraySlice<UInt8>) throws(TarError) -> TarEntry.Time {
        let isNegative = text.first == UInt8(ascii: "-")
        let parts = (isNegative ? text.dropFirst() : text)
            .split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let whole = try decimal(parts.first ?? [])
        var nanoseconds: UInt32 = 0
        if parts.count == 2 {
            guard parts[1].allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { throw TarError("is not a time") }
            for position in 0..<9 {
                let digit = parts[1].dropFirst(position).first ?? 0x30
                nanoseconds = nanoseconds * 10 + UInt32(digit - 0x30)
            }
        }
        guard let seconds = Int64(exactly: whole) else { throw TarError("is too far away") }
        guard isNegative else { return TarEntry.Time(seconds: seconds, nanoseconds: nanoseconds) }
        guard nanoseconds > 0 else { return TarEntry.Time(seconds: -seconds) }
        return TarEntry.Time(seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds)
    }
}
