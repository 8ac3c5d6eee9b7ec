/// The inside of JSON strings. By hand, because it is done for every line that a container writes.
enum JSONText {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Appends `bytes`, escaped. What is not UTF-8 becomes U+FFFD, as in docker's logs.
    static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        let isPlain = bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
        for byte in isPlain ? bytes : Array(String(decoding: bytes, as: UTF8.self).utf8) {
            switch byte {
            case UInt8(ascii: "\n"): text += [0x5c, UInt8(ascii: "n")]
            case UInt8(ascii: "\r"): text += [0x5c, UInt8(ascii: "r")]
            case UInt8(ascii: "\t"): text += [0x5c, UInt8(ascii: "t")]
            case UInt8(ascii: "\""), 0x5c: text += [0x5c, byte]
            case 0..<0x20: text += "\\u00".utf8 + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: text.append(byte)
            }
        }
    }
}
