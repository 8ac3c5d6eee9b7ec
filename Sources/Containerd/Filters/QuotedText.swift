import Linux

/// What a quoted piece of a filter says, by the rules of Go's string literals.
enum QuotedText {
    private static let simple: [UInt8: UInt8] = [
        0x61: 0x07, 0x62: 0x08, 0x66: 0x0c, 0x6e: 0x0a, 0x72: 0x0d, 0x74: 0x09, 0x76: 0x0b, 0x5c: 0x5c,
    ]
    /// Digits that stand for one byte (0, x) or one character (u, U), and their base.
    private static let numeric: [UInt8: (count: Int, radix: Int)] = [
        0x78: (2, 16), 0x75: (4, 16), 0x55: (8, 16),
    ]

    /// `text`: with its quotes.
    static func unquoted(_ text: String) throws(Failure) -> String {
        let all = Array(text.utf8)
        guard all.count >= 2, let quote = all.first, quote == all.last else { throw bad(text) }
        var rest = all.dropFirst().dropLast()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard let kind = rest.popFirst() else { throw bad(text) }
            if kind == quote {
                bytes.append(quote)
            } else if let simple = simple[kind] {
                bytes.append(simple)
            } else if let (count, radix) = numeric[kind] {
                let value = try number(rest.prefix(count), count, radix, text)
                rest = rest.dropFirst(count)
                if kind == UInt8(ascii: "x") {
                    bytes.append(UInt8(truncatingIfNeeded: value))
                } else {
                    guard let scalar = Unicode.Scalar(value) else { throw bad(text) }
                    bytes += Array(String(Character(scalar)).utf8)
                }
            } else {
                let value = try number([kind] + rest.prefix(2), 3, 8, text)
                guard let byte = UInt8(exactly: value) else { throw bad(text) }
                rest = rest.dropFirst(2)
                bytes.append(byte)
            }
        }
        guard let result = String(validating: bytes, as: UTF8.self) else { throw bad(text) }
        return result
    }

    private static func number(_ digits: some Collection<UInt8>, _ count: Int, _ radix: Int, _ text: String)
        throws(Failure) -> UInt32
    {
        let digits = String(decoding: Array(digits), as: UTF8.self)
        // Not by its own rules alone: those allow a sign.
        guard digits.utf8.count == count, digits.allSatisfy(\.isHexDigit),
            let value = UInt32(digits, radix: radix)
        else { throw bad(text) }
        return value
    }

    private static func bad(_ text: String) -> Failure {
        Failure("\(text) is no quoted text", kind: .invalidArgument)
    }
}
