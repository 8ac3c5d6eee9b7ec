/// The PAX extended headers of an entry.
struct PaxRecords {
    var path: [UInt8]?
    var linkTarget: [UInt8]?
    var size: UInt64?
    var uid: UInt64?
    var gid: UInt64?
    var modified: TarEntry.Time?
    var xattrs: [TarEntry.Xattr] = []
    var sparse = PaxSparse()

    /// Adds the records of one extended header: lines of `length key=value\n`.
    mutating func parse(_ block: [UInt8]) throws(TarError) {
        var rest = block[...]
        while !rest.isEmpty {
            let digits = rest.prefix(20).prefix { $0 != 0x20 }
            let length: UInt64
            do { length = try TarNumber.decimal(digits) } catch {
                throw TarError("a PAX record's length \(error.reason)")
            }
            guard length > digits.count + 1, length <= rest.count, let count = Int(exactly: length) else {
                throw TarError("a PAX record says it has \(length) bytes; \(rest.count) are there")
            }
            let record = rest.prefix(count).dropFirst(digits.count + 1)
            rest = rest.dropFirst(count)
            guard record.last == 0x0a, let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
                throw TarError("a PAX record is not key=value and a new line")
            }
            try set(record[..<equals], record[(equals + 1)...].dropLast())
        }
    }

    private mutating func set(_ key: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) throws(TarError) {
        let name = String(decoding: key, as: UTF8.self)
        do {
            switch name {
            // An empty value cancels an earlier record.
            case "path": path = value.isEmpty ? nil : try Self.name(value)
            case "linkpath": linkTarget = value.isEmpty ? nil : try Self.name(value)
            case "size": size = value.isEmpty ? nil : try TarNumber.decimal(value)
            case "uid": uid = value.isEmpty ? nil : try TarNumber.decimal(value)
            case "gid": gid = value.isEmpty ? nil : try TarNumber.decimal(value)
            case "mtime": modified = value.isEmpty ? nil : try TarNumber.time(value)
            default:
                // Not by `name`: in a String, a byte that follows may be a part of the prefix's last character.
                if key.starts(with: Self.xattrPrefix.utf8) {
                    try setXattr(Self.unescape(key.dropFirst(Self.xattrPrefix.utf8.count)), Array(value))
                } else if name.hasPrefix("GNU.sparse.") {
                    try sparse.set(name.dropFirst(11), value)
                }
            }
        } catch {
            throw TarError("its PAX record \(String.quoting(key)) \(error.reason)")
        }
    }

    static let xattrPrefix = "SCHILY.xattr."

    /// More than a file can have: the kernel's list of names ends at 64 KiB.
    private static let xattrLimit = 1024

    private mutating func setXattr(_ name: [UInt8], _ value: [UInt8]) throws(TarError) {
        guard xattrs.count < Self.xattrLimit else { throw TarError("is one extended attribute too many") }
        if let known = xattrs.firstIndex(where: { $0.name == name }) {
            xattrs[known].value = value
        } else {
            xattrs.append(TarEntry.Xattr(name: name, value: value))
        }
    }

    private static func name(_ value: ArraySlice<UInt8>) throws(TarError) -> [UInt8] {
        guard !value.contains(0) else { throw TarError("has a NUL in it") }
        return Array(value)
    }

    /// GNU tar writes `=` and `%` in an attribute's name as %3D and %25, because a key ends at the first `=`.
    private static func unescape(_ name: ArraySlice<UInt8>) -> [UInt8] {
        guard name.contains(UInt8(ascii: "%")) else { return Array(name) }
        var result: [UInt8] = []
        var rest = name
        while let byte = rest.first {
            if rest.starts(with: "%3D".utf8) || rest.starts(with: "%25".utf8) {
                result.append(UInt8(ascii: rest.starts(with: "%25".utf8) ? "%" : "="))
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return result
    }

    static func escape(_ name: [UInt8]) -> [UInt8] {
        name.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "="): Array("%3D".utf8)
            case UInt8(ascii: "%"): Array("%25".utf8)
            default: [byte]
            }
        }
    }
}
