import Linux

extension TarReader {
    /// Reads headers up to and including an entry's own; nil at the end marker or the source's end.
    mutating func parseEntry() throws -> TarEntry? {
        var pax: PaxRecords?
        var longPath: [UInt8]?
        var longLink: [UInt8]?
        while true {
            guard let block = try block() else {
                guard pax == nil, longPath == nil, longLink == nil else {
                    throw TarError("the tar ends behind an extended header")
                }
                return nil
            }
            let header = TarHeader(block)
            if header.isZero {
                guard pax == nil, longPath == nil, longLink == nil else {
                    throw TarError("an extended header without an entry")
                }
                try readEndMarker()
                return nil
            }
            try header.verifyChecksum()
            switch header.type {
            case UInt8(ascii: "x"), UInt8(ascii: "X"):
                // A second one replaces the first, as with docker and its kin.
                var records = PaxRecords()
                try records.parse(metadata(header.size()))
                pax = records
                if let path = records.path { enter(path) }
            case UInt8(ascii: "g"):
                // In POSIX they apply to all entries that follow; docker and its kin read and ignore them. A layer
                // must not be one tree for those tools, and for vulnerability scanners, and another one here.
                var records = PaxRecords()
                try records.parse(metadata(header.size()))
            case UInt8(ascii: "L"):
                let path = Array(try metadata(header.size()).prefix { $0 != 0 })
                enter(path)
                longPath = path
            case UInt8(ascii: "K"):
                longLink = Array(try metadata(header.size()).prefix { $0 != 0 })
            case UInt8(ascii: "V"), UInt8(ascii: "A"):
                // A volume's label, and Solaris's ACLs: not part of the tree.
                try skipData(header.size())
            default:
                return try entry(header, pax ?? PaxRecords(), longPath, longLink)
            }
        }
    }

    private mutating func entry(
        _ header: TarHeader,
        _ pax: PaxRecords,
        _ longPath: [UInt8]?,
        _ longLink: [UInt8]?
    ) throws -> TarEntry {
        // GNU's names take precedence over POSIX's, whichever come first, as with docker and its kin.
        let path = named(longPath) ?? pax.sparse.name ?? pax.path ?? header.path
        enter(path)
        let kind = try kind(of: header, path)
        let isSparse = kind == .file && (header.type == UInt8(ascii: "S") || pax.sparse.isSparse)
        let isLink = kind == .symbolicLink || kind == .hardLink
        let isDevice = kind == .characterDevice || kind == .blockDevice
        let stored = try pax.size ?? header.size()
        var entry = TarEntry(
            path: path,
            kind: kind,
            mode: UInt32(truncatingIfNeeded: try header.number(100..<108, "its mode")) & 0o7777,
            uid: try owner(pax.uid, header, 108..<116, "its owner"),
            gid: try owner(pax.gid, header, 116..<124, "its group"),
            modified: try pax.modified ?? .init(seconds: header.number(136..<148, "its time")),
            linkTarget: isLink ? named(longLink) ?? pax.linkTarget ?? header.linkTarget : [],
            device: isDevice ? try device(header) : .init(major: 0, minor: 0),
            xattrs: pax.xattrs
        )
        // Links, directories and devices have no data, whatever their size field says: all readers of images agree.
        // A dump's directory ('D') lists its names.
        if kind == .file {
            if isSparse {
                try expectSparse(&entry, header, pax.sparse, stored)
            } else {
                entry.size = stored
                try expectContent(stored)
            }
        } else if header.type == UInt8(ascii: "D") {
            try skipData(stored)
        }
        entry.contentOffset = offset
        return entry
    }

    private func named(_ text: [UInt8]?) -> [UInt8]? { text?.isEmpty == true ? nil : text }

    private func kind(of header: TarHeader, _ path: [UInt8]) throws(TarError) -> TarEntry.Kind {
        switch header.type {
        case 0:
            // v7 has no type for directories.
            path.last == UInt8(ascii: "/") ? .directory : .file
        case UInt8(ascii: "0"), UInt8(ascii: "7"): .file
        case UInt8(ascii: "S"): .file
        case UInt8(ascii: "1"): .hardLink
        case UInt8(ascii: "2"): .symbolicLink
        case UInt8(ascii: "3"): .characterDevice
        case UInt8(ascii: "4"): .blockDevice
        case UInt8(ascii: "5"), UInt8(ascii: "D"): .directory
        case UInt8(ascii: "6"): .fifo
        case UInt8(ascii: "M"): throw TarError("continues on another volume")
        default: throw TarError("its type \(String.quoting([header.type])) is unknown")
        }
    }

    private func owner(
        _ pax: UInt64?,
        _ header: TarHeader,
        _ range: Range<Int>,
        _ what: String
    ) throws(TarError) -> UInt32 {
        if let pax {
            guard let id = UInt32(exactly: pax) else { throw TarError("\(what) is too large: \(pax)") }
            return id
        }
        let number = try header.number(range, what)
        guard let id = UInt32(exactly: number) else { throw TarError("\(what) is impossible: \(number)") }
        return id
    }

    private func device(_ header: TarHeader) throws(TarError) -> TarEntry.Device {
        let major = try header.number(329..<337, "its major number")
        let minor = try header.number(337..<345, "its minor number")
        guard 0..<1 << 12 ~= major, 0..<1 << 20 ~= minor else {
            throw TarError("its device number \(major):\(minor) is impossible")
        }
        return TarEntry.Device(major: UInt32(major), minor: UInt32(minor))
    }
}
