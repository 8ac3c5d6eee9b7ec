/// Tars a block at a time, with whatever in them: what `Layer.tar` would never write.
enum RawTar {
    enum Magic { case pax, gnu, none }

    /// What a header's fields hold, by their offsets.
    enum Field: Int {
        case mode = 100
        case uid = 108
        case gid = 116
        case size = 124
        case time = 136
        case link = 157
        case magic = 257
        case major = 329
        case minor = 337
        case prefix = 345
    }

    static let end = [UInt8](repeating: 0, count: 1024)

    /// A header and its data. `size`: where it is not the data's. `fields`: bytes that replace what stands there.
    static func entry(
        _ name: String,
        _ type: Character = "0",
        _ data: String = "",
        size: Int? = nil,
        link: String = "",
        magic: Magic = .pax,
        with fields: [Field: [UInt8]] = [:]
    ) -> [UInt8] {
        entry(Array(name.utf8), type, Array(data.utf8), size: size, link: link, magic: magic, with: fields)
    }

    static func entry(
        _ name: [UInt8],
        _ type: Character,
        _ data: [UInt8],
        size: Int? = nil,
        link: String = "",
        magic: Magic = .pax,
        with fields: [Field: [UInt8]] = [:]
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: some Sequence<UInt8>, at offset: Int) {
            for (position, byte) in bytes.enumerated() { block[offset + position] = byte }
        }
        func octal(_ value: Int, _ digits: Int) -> String.UTF8View {
            let text = String(value, radix: 8)
            return (String(repeating: "0", count: digits - text.count) + text).utf8
        }
        put(name.prefix(100), at: 0)
        put(octal(type == "5" ? 0o755 : 0o644, 7), at: Field.mode.rawValue)
        put(octal(0, 7), at: Field.uid.rawValue)
        put(octal(0, 7), at: Field.gid.rawValue)
        put(octal(size ?? data.count, 11), at: Field.size.rawValue)
        put(octal(1_000_000_000, 11), at: Field.time.rawValue)
        put(String(type).utf8, at: 156)
        put(link.utf8.prefix(100), at: Field.link.rawValue)
        switch magic {
        case .pax: put("ustar\u{0}00".utf8, at: Field.magic.rawValue)
        case .gnu: put("ustar  \u{0}".utf8, at: Field.magic.rawValue)
        case .none: break
        }
        for (field, bytes) in fields { put(bytes, at: field.rawValue) }
        put("        ".utf8, at: 148)
        put(octal(block.reduce(0) { $0 + Int($1) }, 6), at: 148)
        block[154] = 0
        return block + data + [UInt8](repeating: 0, count: (512 - data.count % 512) % 512)
    }

    /// A file's type of zero: what tar wrote before there were types.
    static let old: Character = "\u{0}"

    /// An extended header, for what comes next.
    static func pax(_ records: KeyValuePairs<String, String>, _ type: Character = "x") -> [UInt8] {
        entry(Array("PaxHeaders/x".utf8), type, records.flatMap { record($0, Array($1.utf8)) })
    }

    static func pax(_ key: String, _ value: [UInt8]) -> [UInt8] {
        entry(Array("PaxHeaders/x".utf8), "x", record(key, value))
    }

    /// A GNU long name (type L) or long link (K), for what comes next.
    static func long(_ type: Character, _ text: String) -> [UInt8] {
        entry("././@LongLink", type, text + "\u{0}", magic: .gnu)
    }

    /// "LENGTH key=value\n", where LENGTH counts itself.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [0x0a]
        var length = rest.count
        while length != rest.count + String(length).utf8.count {
            length = rest.count + String(length).utf8.count
        }
        return Array(String(length).utf8) + rest
    }
}
