/// Looks for an object that has one name twice. JSON readers don't agree on what that means: Go's take the last
/// value, Swift's the first; and an image must not mean two things.
struct RepeatedName {
    private let bytes: [UInt8]
    private var position = 0
    /// The names of each open object; nil for a list.
    private var open: [Set<[UInt8]>?] = []
    private var isName = false

    /// nil where there is none, and for text that is not JSON.
    static func first(in bytes: [UInt8]) -> String? {
        var search = RepeatedName(bytes: bytes)
        return search.run()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func run() -> String? {
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "{"):
                open.append([])
                isName = true
            case UInt8(ascii: "["):
                open.append(nil)
                isName = false
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = open.popLast()
                isName = false
            case UInt8(ascii: ","):
                if case .some(.some) = open.last { isName = true }
            case UInt8(ascii: "\""):
                if isName {
                    let name = text()
                    if open[open.count - 1]?.insert(name).inserted == false {
                        return String(decoding: name, as: UTF8.self)
                    }
                    isName = false
                } else {
                    skipText()
                }
            default: break
            }
        }
        return nil
    }

    private mutating func skipText() {
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        position += 1
    }

    /// The text up to the closing quote, without resolving escapes, which could make one name look like two.
    private mutating func text() -> [UInt8] {
        var text: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            guard bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count else {
                text.append(bytes[position])
                position += 1
                continue
            }
            let escaped = bytes[position + 1]
            position += 2
            guard escaped == UInt8(ascii: "u"), position + 4 <= bytes.count,
                let unit = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
            else {
                text.append(escaped)
                continue
            }
            position += 4
            text += Unicode.Scalar(unit).map { Array(String(Character($0)).utf8) } ?? Array("\\u\(unit)".utf8)
        }
        position += 1
        return text
    }
}
