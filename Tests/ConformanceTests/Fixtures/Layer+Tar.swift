/// A tar writer for the tests alone: it shares no code, and so no mistake, with the one under test.
extension Array where Element == LayerEntry {
    /// POSIX pax format; sparse files as GNU sparse 1.0.
    var tar: [UInt8] {
        var archive: [UInt8] = []
        for entry in self { archive += entry.tarRecords }
        return archive + [UInt8](repeating: 0, count: 1024)
    }
}

extension LayerEntry {
    /// Where a layer's tar keeps it: whiteouts and opaque marks are files with magic names.
    var tarName: [UInt8] {
        let directory = path.parent.bytes.isEmpty ? [] : path.parent.bytes + Array("/".utf8)
        switch kind {
        case .directory: return path.bytes.isEmpty ? Array("./".utf8) : path.bytes + Array("/".utf8)
        case .whiteout: return directory + Array(".wh.".utf8) + path.name
        case .opaque: return (path / ".wh..wh..opq").bytes
        default: return path.bytes
        }
    }

    fileprivate var tarRecords: [UInt8] {
        var pax: [(key: String, value: [UInt8])] = []
        var name = tarName
        var flag: Character
        var link: [UInt8] = []
        var data: [UInt8] = []
        var device: (major: UInt32, minor: UInt32) = (0, 0)
        switch kind {
        case .directory: flag = "5"
        case .file(let content): (flag, data) = ("0", content)
        case .sparse(let size, let pieces):
            flag = "0"
            pax += [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")].map { ($0, Array($1.utf8)) }
            pax += [("GNU.sparse.name", name), ("GNU.sparse.realsize", Array("\(size)".utf8))]
            name = Array("GNUSparseFile.0/x".utf8)
            let map = "\(pieces.count)\n" + pieces.map { "\($0.offset)\n\($0.bytes.count)\n" }.joined()
            data = padded(Array(map.utf8)) + pieces.flatMap(\.bytes)
        case .symlink(let target): (flag, link) = ("2", target)
        case .hardLink(let target): (flag, link) = ("1", target.bytes)
        case .character(let major, let minor): (flag, device) = ("3", (major, minor))
        case .block(let major, let minor): (flag, device) = ("4", (major, minor))
        case .fifo: flag = "6"
        case .whiteout, .opaque: flag = "0"
        }
        if name.count > 100 { pax.append(("path", name)) }
        if link.count > 100 { pax.append(("linkpath", link)) }
        if time.nanoseconds != 0 { pax.append(("mtime", decimal(time))) }
        for (key, value) in xattrs.sorted(by: { $0.key < $1.key }) {
            pax.append(("SCHILY.xattr.\(key)", value))
        }

        var records: [UInt8] = []
        if !pax.isEmpty {
            let body = pax.flatMap { paxRecord($0.key, $0.value) }
            records += header(Array("PaxHeaders/x".utf8), flag: "x", size: body.count) + padded(body)
        }
        records += header(name, flag: flag, size: data.count, link: link, device: device)
        return records + padded(data)
    }

    private func header(
        _ name: [UInt8],
        flag: Character,
        size: Int,
        link: [UInt8] = [],
        device: (major: UInt32, minor: UInt32) = (0, 0)
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: some Sequence<UInt8>, at offset: Int) {
            for (i, byte) in bytes.enumerated() { block[offset + i] = byte }
        }
        func octal(_ value: Int, at offset: Int, digits: Int) {
            let text = String(value, radix: 8)
            put((String(repeating: "0", count: digits - text.count) + text).utf8, at: offset)
        }
        put(name.prefix(100), at: 0)
        octal(Int(mode), at: 100, digits: 7)
        octal(Int(uid), at: 108, digits: 7)
        octal(Int(gid), at: 116, digits: 7)
        octal(size, at: 124, digits: 11)
        octal(time.seconds, at: 136, digits: 11)
        put(String(flag).utf8, at: 156)
        put(link.prefix(100), at: 157)
        put("ustar\0".utf8, at: 257)
        put("00".utf8, at: 263)
        octal(Int(device.major), at: 329, digits: 7)
        octal(Int(device.minor), at: 337, digits: 7)
        // The sum is over a header whose checksum is blank.
        put("        ".utf8, at: 148)
        octal(block.reduce(0) { $0 + Int($1) }, at: 148, digits: 6)
        block[154] = 0
        return block
    }
}

/// "LENGTH key=value\n", where LENGTH counts itself.
private func paxRecord(_ key: String, _ value: [UInt8]) -> [UInt8] {
    let rest = Array(" \(key)=".utf8) + value + Array("\n".utf8)
    var length = rest.count
    while length != rest.count + String(length).utf8.count { length = rest.count + String(length).utf8.count }
    return Array(String(length).utf8) + rest
}

private func decimal(_ time: LayerEntry.Time) -> [UInt8] {
    let fraction = String(time.nanoseconds)
    return Array("\(time.seconds).\(String(repeating: "0", count: 9 - fraction.count))\(fraction)".utf8)
}

private func padded(_ bytes: [UInt8]) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
}
