/// Writes an entry as one ustar header, after a PAX header for what does not fit into it.
enum TarHeaderWriter {
    static func headers(of entry: TarEntry) -> [UInt8] {
        var path = entry.path
        if entry.kind == .directory, path.last != UInt8(ascii: "/") { path.append(UInt8(ascii: "/")) }
        let size = entry.kind == .file ? entry.size : 0

        var records: [(key: [UInt8], value: [UInt8])] = []
        func record(_ key: String, _ value: [UInt8]) { records.append((Array(key.utf8), value)) }
        func record(_ key: String, _ value: UInt64) { record(key, Array(String(value).utf8)) }

        let split = split(path)
        if split == nil { record("path", path) }
        if entry.linkTarget.count > 100 { record("linkpath", entry.linkTarget) }
        if size > octalLimit(12) { record("size", size) }
        if UInt64(entry.uid) > octalLimit(8) { record("uid", UInt64(entry.uid)) }
        if UInt64(entry.gid) > octalLimit(8) { record("gid", UInt64(entry.gid)) }
        let fits = entry.modified.seconds >= 0 && UInt64(entry.modified.seconds) <= octalLimit(12)
        if !fits || entry.modified.nanoseconds != 0 { record("mtime", time(entry.modified)) }
        for xattr in entry.xattrs {
            records.append((Array(PaxRecords.xattrPrefix.utf8) + PaxRecords.escape(xattr.name), xattr.value))
        }

        var bytes: [UInt8] = []
        if !records.isEmpty {
            records.sort { $0.key.lexicographicallyPrecedes($1.key) }
            let block = records.flatMap { Self.record($0.key, $0.value) }
            var header = RawHeader(type: UInt8(ascii: "x"))
            header.set(0..<100, paxName(path))
            header.set(100..<108, octal: 0o644)
            header.set(108..<116, octal: 0)
            header.set(116..<124, octal: 0)
            header.set(124..<136, octal: UInt64(block.count))
            header.set(136..<148, octal: 0)
            bytes += header.finish() + block + [UInt8](repeating: 0, count: (512 - block.count % 512) % 512)
        }

        var header = RawHeader(type: type(of: entry.kind))
        let (prefix, name) = split ?? ([], Array(path.prefix(100)))
        header.set(0..<100, name)
        header.set(345..<500, prefix)
        header.set(100..<108, octal: UInt64(entry.mode & 0o7777))
        header.set(108..<116, octal: UInt64(entry.uid))
        header.set(116..<124, octal: UInt64(entry.gid))
        header.set(124..<136, octal: size)
        header.set(136..<148, octal: fits ? UInt64(entry.modified.seconds) : 0)
        header.set(157..<257, Array(entry.linkTarget.prefix(100)))
        if entry.kind == .characterDevice || entry.kind == .blockDevice {
            header.set(329..<337, octal: UInt64(entry.device.major))
            header.set(337..<345, octal: UInt64(entry.device.minor))
        }
        return bytes + header.finish()
    }

    private static func type(of kind: TarEntry.Kind) -> UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .hardLink: UInt8(ascii: "1")
        case .symbolicLink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }

    /// The largest number for an octal field of `width` bytes, the last of them NUL.
    private static func octalLimit(_ width: Int) -> UInt64 { 1 << (3 * UInt64(width - 1)) - 1 }

    /// ustar's two fields for a path; nil where the path does not fit into them.
    private static func split(_ path: [UInt8]) -> (prefix: [UInt8], name: [UInt8])? {
        if path.count <= 100 { return ([], path) }
        // The slash between the two is not written; the name must not be empty.
        for slash in stride(from: min(155, path.count - 2), to: 0, by: -1) where path[slash] == 0x2f {
            guard path.count - slash - 1 <= 100 else { return nil }
            return (Array(path[..<slash]), Array(path[(slash + 1)...]))
        }
        return nil
    }

    /// The name under which readers without PAX would extract the records.
    private static func paxName(_ path: [UInt8]) -> [UInt8] {
        let last = path.split(separator: UInt8(ascii: "/")).last ?? []
        return Array(("PaxHeaders.0/".utf8 + last).prefix(100))
    }

    private static func time(_ time: TarEntry.Time) -> [UInt8] {
        var (seconds, nanoseconds) = (time.seconds, time.nanoseconds)
        // -1.25 s is two seconds before 1970 and 0.75 after that.
        let isNegative = seconds < 0
        if isNegative, nanoseconds > 0 {
            seconds += 1
            nanoseconds = 1_000_000_000 - nanoseconds
        }
        let fraction = String(nanoseconds)
        let digits =
            nanoseconds == 0 ? "" : "." + String(repeating: "0", count: 9 - fraction.count) + fraction
        return Array("\(isNegative ? "-" : "")\(seconds.magnitude)\(digits)".utf8)
    }

    /// `length key=value\n`, where the length includes its own digits.
    private static func record(_ key: [UInt8], _ value: [UInt8]) -> [UInt8] {
        let rest = key.count + value.count + 3
        var length = rest + String(rest).utf8.count
        if String(length).utf8.count != String(rest).utf8.count { length = rest + String(length).utf8.count }
        return Array("\(length) ".utf8) + key + [UInt8(ascii: "=")] + value + [0x0a]
    }
}

private struct RawHeader {
    private var bytes = [UInt8](repeating: 0, count: TarHeader.size)

    init(type: UInt8) {
        bytes[156] = type
        set(257..<265, Array("ustar\u{0}00".utf8))
    }

    mutating func set(_ range: Range<Int>, _ value: [UInt8]) {
        for (position, byte) in zip(range, value) { bytes[position] = byte }
    }

    /// With leading zeros, and NUL at the end. A value that does not fit is in a PAX record; the field gets zeros.
    mutating func set(_ range: Range<Int>, octal value: UInt64) {
        var rest = value < 1 << (3 * UInt64(range.count - 1)) ? value : 0
        for position in range.dropLast().reversed() {
            bytes[position] = 0x30 + UInt8(rest & 7)
            rest >>= 3
        }
    }

    mutating func finish() -> [UInt8] {
        set(148..<156, Array("        ".utf8))
        let sum = bytes.reduce(0) { $0 + UInt64($1) }
        set(148..<155, octal: sum)
        return bytes
    }
}
