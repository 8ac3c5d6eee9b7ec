import CCodecs
import Digests
import Layers
import Linux
import Testing

@Suite struct `Decompression` {
    static let text = Array(String(repeating: "layer after layer, ", count: 40_000).utf8) + noise(300_000)

    @Test func `passes what is not compressed`() throws {
        #expect(try decompress(Self.text) == Self.text)
        #expect(try decompress([]) == [])
        #expect(try decompress([0x1f]) == [0x1f])
    }

    @Test func `reads gzip: one member, several, and zeros behind them`() throws {
        let one = gzip(Self.text)
        #expect(try decompress(one) == Self.text)
        #expect(try decompress(one + gzip([]) + one) == Self.text + Self.text)
        #expect(try decompress(one + [0, 0, 0]) == Self.text)
    }

    @Test func `reads zstd: one frame, several, and skippable ones`() throws {
        let one = zstd(Self.text)
        #expect(try decompress(one) == Self.text)
        #expect(
            try decompress([0x52, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9] + one + one) == Self.text + Self.text
        )
    }

    @Test func `refuses data that is cut short, damaged or followed by something else`() {
        for whole in [gzip(Self.text), zstd(Self.text)] {
            for end in stride(from: 6, to: whole.count, by: 4999) {
                #expect(throws: Failure.self) { try decompress(Array(whole[..<end])) }
            }
            #expect(throws: Failure.self) { try decompress(Array(whole.dropLast())) }
            #expect(throws: Failure.self) { try decompress(whole + [1, 2, 3]) }
        }
        // zstd's checksum is optional, so that only gzip promises to tell.
        var damaged = gzip(Self.text)
        damaged[damaged.count / 2] ^= 0x55
        #expect(throws: Failure.self) { try decompress(damaged) }
    }

    /// zlib's deflate writes, level by level, every kind of block, code and match there is.
    @Test(arguments: CInt(0)...9) func `reads what zlib writes, in pieces of any size`(level: CInt) throws {
        let far = noise(32_768)
        let contents: [[UInt8]] = [
            [], [7], [UInt8](repeating: 0, count: 70_000), noise(5000), far + far + far.dropLast(9),
            (0..<40_000).map { UInt8(truncatingIfNeeded: $0 / 3 * $0) }, Array(Self.text.prefix(90_000)),
        ]
        for content in contents {
            let whole = gzip(content, level: level)
            for size in [1, 7, 300, 65_536] where size > 1 || content.count < 6000 {
                #expect(try decompress(whole, inPiecesOf: size) == content)
            }
        }
    }

    @Test func `reads gzip's header with everything that can be in it, and checks it`() throws {
        let plain = gzip([1, 2, 3])
        // FHCRC, FEXTRA, FNAME, FCOMMENT
        var header: [UInt8] = [0x1f, 0x8b, 8, 0x1e]
        header += plain[4..<10]
        header += [3, 0, 9, 9, 9]
        header += Array("name\0comment\0".utf8)
        let checksum = crc32(0, header, UInt32(header.count))
        header += [UInt8(truncatingIfNeeded: checksum), UInt8(truncatingIfNeeded: checksum >> 8)]
        #expect(try decompress(header + plain[10...]) == [1, 2, 3])
        #expect(try decompress(header + plain[10...], inPiecesOf: 1) == [1, 2, 3])
        header[header.count - 1] ^= 1
        #expect(throws: Failure.self) { try decompress(header + plain[10...]) }
    }

    @Test func `finds every changed bit of a gzip stream, or gives what was meant`() {
        let content = Array(Self.text.prefix(3000)) + noise(500)
        let whole = gzip(content)
        // Without the first two bytes it is no gzip.
        for position in whole.indices.dropFirst(2) {
            var damaged = whole
            damaged[position] ^= 1 << UInt8(position % 8)
            // The header's time and system make no difference.
            if let result = try? decompress(damaged) { #expect(result == content && position < 10) }
        }
    }

    @Test func `names a compression it does not know`() {
        let failure = #expect(throws: Failure.self) { try decompress([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) }
        #expect(failure?.message == "test: compressed with xz")
    }

    @Test func `a compressed layer has the diffID of its tar and the digest of its blob`() throws {
        let bytes = try tar([.bytes("x", Self.text)])
        for blob in [gzip(bytes), zstd(bytes)] {
            let store = try TestStore()
            let expectation = Expectation(
                diffID: SHA256.digest(of: bytes),
                blobDigest: SHA256.digest(of: blob),
                blobSize: UInt64(blob.count)
            )
            let staged = try store.load(blob, expecting: expectation)
            #expect(try store.export(staged.diffID) == bytes)
            #expect(throws: Failure.self) { try store.load(Array(blob.dropLast(3)), expecting: expectation) }
        }
    }
}

private struct Pieces: ByteSource {
    var source: MemorySource
    let size: Int

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(size)))
    }
}

private func decompress(_ bytes: [UInt8], inPiecesOf size: Int = .max) throws -> [UInt8] {
    var source = Decompressor(Pieces(source: MemorySource(bytes), size: size), named: "test")
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 70_001)
    while true {
        let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
        if count == 0 { return result }
        result += buffer[..<count]
    }
}

func gzip(_ bytes: [UInt8], level: CInt = 6) -> [UInt8] {
    var stream = z_stream()
    var bytes = bytes
    var output = [UInt8](repeating: 0, count: bytes.count + 1000)
    _ = ccodecs_deflate_init(&stream, level, 15 + 16)
    let left = bytes.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            _ = deflate(&stream, Z_FINISH)
            return Int(stream.avail_out)
        }
    }
    deflateEnd(&stream)
    return Array(output.dropLast(left))
}

func zstd(_ bytes: [UInt8]) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
    let count = ZSTD_compress(&output, output.count, bytes, bytes.count, 3)
    return Array(output[..<count])
}
