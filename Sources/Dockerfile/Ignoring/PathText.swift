/// A path as patterns see it: characters of UTF-8, and bytes that are none as characters of their own.
struct PathText {
    static let slash = UInt32(UInt8(ascii: "/"))

    let characters: [UInt32]

    init(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.contains(where: { $0 >= 0x80 }) else {
            characters = bytes.map(UInt32.init)
            return
        }
        var characters: [UInt32] = []
        var position = 0
        while position < bytes.count {
            let length = PathText.length(bytes[position])
            let end = min(position + length, bytes.count)
            if let text = String(validating: bytes[position..<end], as: UTF8.self),
                let scalar = text.unicodeScalars.first
            {
                characters.append(scalar.value)
                position = end
            } else {
                characters.append(0x11_0000 + UInt32(bytes[position]))
                position += 1
            }
        }
        self.characters = characters
    }

    /// Of the character that begins with `byte`.
    private static func length(_ byte: UInt8) -> Int {
        switch byte {
        case 0xC0...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF7: 4
        default: 1
        }
    }
}
