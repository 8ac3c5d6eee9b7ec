import Linux
import Tar

/// Everything a tar has to say, in memory.
struct Listing {
    var entries: [TarEntry] = []
    var contents: [[UInt8]] = []
    /// Literal bytes and contents in the order they came: the tar again.
    var bytes: [UInt8] = []
    var hasEndMarker = false

    init(_ tar: [UInt8], pieces: Int = .max) throws {
        final class Collected { var bytes: [UInt8] = [] }
        let collected = Collected()
        var reader = TarReader(Trickle(tar, pieces), named: "test") { collected.bytes += $0 }
        while let entry = try reader.next() {
            var content: [UInt8] = []
            try reader.forEachPiece { content += $0 }
            collected.bytes += content
            entries.append(entry)
            contents.append(content)
        }
        bytes = collected.bytes
        hasEndMarker = reader.hasEndMarker
    }

    /// What `path` has, as text.
    func text(_ path: String) -> String? {
        entries.lastIndex { $0.path == Array(path.utf8) }.map {
            String(decoding: contents[$0], as: UTF8.self)
        }
    }

    subscript(path: String) -> TarEntry? { entries.last { $0.path == Array(path.utf8) } }
}

/// Gives at most `piece` bytes at a time, as a pipe may.
struct Trickle: ByteSource {
    private var rest: ArraySlice<UInt8>
    private let piece: Int

    init(_ bytes: [UInt8], _ piece: Int) {
        rest = bytes[...]
        self.piece = piece
    }

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let chunk = rest.prefix(min(buffer.count, piece))
        chunk.withUnsafeBytes { buffer.copyMemory(from: $0) }
        rest = rest.dropFirst(chunk.count)
        return chunk.count
    }
}

/// Writes one 512-byte header by hand, checksum and all.
struct HandmadeHeader {
    var bytes = [UInt8](repeating: 0, count: 512)

    init(_ name: String, type: Character = "0", size: String = "00000000000", magic: String = "ustar\u{0}00")
    {
        set(0, Array(name.utf8))
        set(100, Array("0000644".utf8))
        set(108, Array("0000000".utf8))
        set(116, Array("0000000".utf8))
        set(124, Array(size.utf8))
        set(136, Array("00000000000".utf8))
        bytes[156] = type.asciiValue ?? 0
        set(257, Array(magic.utf8))
    }

    mutating func set(_ offset: Int, _ value: [UInt8]) {
        for (position, byte) in value.enumerated() { bytes[offset + position] = byte }
    }

    /// With its checksum: of unsigned bytes, or of signed ones as some old writers had it.
    func finished(signed: Bool = false) -> [UInt8] {
        var header = self
        header.set(148, Array("        ".utf8))
        let sum = header.bytes.reduce(0) { $0 + (signed ? Int(Int8(bitPattern: $1)) : Int($1)) }
        let octal = String(sum, radix: 8)
        header.set(148, Array((String(repeating: "0", count: 6 - octal.count) + octal + "\0 ").utf8))
        return header.bytes
    }
}

let endMarker = [UInt8](repeating: 0, count: 1024)

func padded(_ content: [UInt8]) -> [UInt8] {
    content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
}

/// A PAX header with these records, as one block of text.
func pax(_ records: [(String, [UInt8])], type: Character = "x") -> [UInt8] {
    var block: [UInt8] = []
    for (key, value) in records {
        let rest = key.utf8.count + value.count + 3
        var length = rest + 1
        while String(length).utf8.count + rest != length { length += 1 }
        block += Array("\(length) \(key)=".utf8) + value + [0x0a]
    }
    return pax(block, type: type)
}

/// Records as they are written.
func pax(_ block: [UInt8], type: Character = "x") -> [UInt8] {
    let size = String(block.count, radix: 8)
    let field = String(repeating: "0", count: 11 - size.count) + size
    return HandmadeHeader("pax", type: type, size: field).finished() + padded(block)
}

func pax(_ records: [(String, String)], type: Character = "x") -> [UInt8] {
    pax(records.map { ($0.0, Array($0.1.utf8)) }, type: type)
}
