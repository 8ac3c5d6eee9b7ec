import Linux

/// A SHA-256 digest, written `sha256:<64 lower-case hex digits>`. The ecosystem uses no other algorithm in practice;
/// `sha512:` parses as nil, so that callers can say so.
package struct Digest: Hashable, Sendable {
    // The digest's bytes in order, eight to a word, big-endian: comparing words compares bytes.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package static let count = 32

    /// nil unless there are exactly 32 bytes.
    package init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Digest.count else { return nil }
        self.init(filled: bytes)
    }

    /// Precondition: `bytes` has 32 bytes.
    init(filled bytes: UnsafeRawBufferPointer) {
        func word(_ index: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// nil unless `hex` is 64 lower-case hex digits.
    package init?(hex: some StringProtocol) {
        guard hex.utf8.count == 2 * Digest.count else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (position, digit) in hex.utf8.enumerated() {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            words[position / 16] = words[position / 16] << 4 | UInt64(value)
        }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// Parses `sha256:<hex>`.
    package init?(_ string: some StringProtocol) {
        guard string.hasPrefix("sha256:") else { return nil }
        self.init(hex: string.dropFirst(7))
    }

    package static func == (left: Digest, right: Digest) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    package var bytes: [UInt8] {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 4) { buffer in
            for index in 0..<4 { buffer[index] = word(index).bigEndian }
            return Array(UnsafeRawBufferPointer(buffer))
        }
    }

    /// 64 lower-case hex digits.
    package var hex: String {
        String(unsafeUninitializedCapacity: Digest.hexCount) { buffer in
            writeHex(to: buffer)
            return Digest.hexCount
        }
    }

    static let hexCount = 2 * count

    /// Fills the first 64 bytes of `buffer` with the digits.
    func writeHex(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        for position in 0..<Digest.hexCount {
            let digit = UInt8(truncatingIfNeeded: word(position / 16) >> (60 - 4 * (position % 16))) & 15
            buffer[position] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
    }

    private func word(_ index: Int) -> UInt64 {
        switch index {
        case 0: words.0
        case 1: words.1
        case 2: words.2
        default: words.3
        }
    }
}

extension Digest: Comparable {
    package static func < (left: Digest, right: Digest) -> Bool { left.words < right.words }
}

extension Digest: CustomStringConvertible {
    package var description: String {
        String(unsafeUninitializedCapacity: Digest.descriptionCount) { buffer in
            write(to: buffer)
            return Digest.descriptionCount
        }
    }

    static let descriptionCount = prefix.utf8CodeUnitCount + hexCount
    private static let prefix: StaticString = "sha256:"

    /// Fills the first 71 bytes of `buffer` with the text of `description`.
    func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        let prefix = Digest.prefix.utf8CodeUnitCount
        for position in 0..<prefix { buffer[position] = Digest.prefix.utf8Start[position] }
        writeHex(to: UnsafeMutableBufferPointer(rebasing: buffer[prefix...]))
    }
}

extension Digest: Codable {
    package init(from decoder: any Decoder) throws {
        let string = try decoder.singleValueContainer().decode(String.self)
        guard let digest = Digest(string) else {
            throw Failure("\"\(string)\" is not a digest", advice: "Expected sha256: and 64 hex digits.")
        }
        self = digest
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
