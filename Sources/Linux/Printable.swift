/// Text on its way to a terminal, or to a log of lines. Names and commands from images, containers and archives are
/// untrusted: unchanged, they could move the cursor, change earlier output, or answer for the user.
package enum Printable {
    /// Whether a terminal may do something other than show it: C0, DEL and C1 (ECMA-48), the line and paragraph
    /// separators, and characters that change the direction of writing (Unicode Technical Report 36, 3.4).
    package static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0: true
        case 0x61c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }

    /// `text` with such characters replaced by `\n`, `\x1b` or `\u{202e}`. `lines`: newlines stay.
    ///
    /// All else stays, backslashes too: a second pass changes nothing.
    package static func text(_ text: String, lines: Bool = false) -> String {
        func isKept(_ scalar: Unicode.Scalar) -> Bool { !isControl(scalar) || lines && scalar == "\n" }
        guard !text.unicodeScalars.allSatisfy(isKept) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isKept(scalar) { result.append(scalar) } else { result += escape(scalar).unicodeScalars }
        }
        return String(result)
    }

    /// The same for bytes, such as a file's name; those that are not UTF-8 become `\x80` and so on.
    package static func bytes(_ bytes: [UInt8]) -> [UInt8] {
        guard !bytes.allSatisfy({ (0x20..<0x7f).contains($0) }) else { return bytes }
        var result: [UInt8] = []
        var parser = Unicode.UTF8.ForwardParser()
        var input = bytes.makeIterator()
        var place = 0
        while true {
            switch parser.parseScalar(from: &input) {
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                result += isControl(scalar) ? Array(escape(scalar).utf8) : Array(encoded)
                place += encoded.count
            case .error(let length):
                for byte in bytes[place..<place + length] { result += hex(byte).utf8 }
                place += length
            case .emptyInput:
                return result
            }
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": "\\n"
        case "\t": "\\t"
        case "\r": "\\r"
        default:
            scalar.value < 0x100
                ? hex(UInt8(truncatingIfNeeded: scalar.value))
                : "\\u{\(String(scalar.value, radix: 16))}"
        }
    }

    private static func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "\\x0" : "\\x") + String(byte, radix: 16)
    }
}
