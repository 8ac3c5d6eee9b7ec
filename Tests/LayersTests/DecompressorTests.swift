import CCodecs
import Digests
import Layers
import Linux
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Decompression` {
    static let text = Array(String(repeating: "layer after layer, ", count: 40_000).utf8) + noise(300_000)

    @Test func `passes what is not compressed`() throws {
        #expect(try decompress(Self.text) == Self.text)
        #expect(try decompress([]) == [])
        #expect(try decompress([0x1f]) == [0x1f])
    }

    /// In one piece, as a stream, and where that is known only when much of it has been read.
    static let limits = [1 << 20, 0, 200_000]

    @Test(arguments: limits) func `reads gzip: one member, several, and zeros behind them`(limit: Int) throws
    {
        let one = gzip(Self.text)
        #expect(try decompress(one, limit) == Self.text)
        #expect(try decompress(one + gzip([]) + one, limit) == Self.text + Self.text)
        #expect(try decompress(gzip([]), limit) == [])
        #expect(try decompress(one + [0, 0, 0], limit) == Self.text)
        #expect(try decompress(one + gzip([1]) + [0], limit) == Self.text + [1])
    }

    @Test func `reads zstd: one frame, several, and skippable ones`() throws {
        let one = zstd(Self.text)
        #expect(try decompress(one) == Self.text)
        #expect(
            try decompress([0x52, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9] + one + one) == Self.text + Self.text
        )
    }

    @Test(arguments: limits)
    func `refuses data that is cut short, damaged or followed by something else`(limit: Int) {
        for whole in [gzip(Self.text), zstd(Self.text)] {
            for end in stride(from: 6, to: whole.count, by: 4999) {
                #expect(throws: Failure.self) { try decompress(Array(whole[..<end]), limit) }
            }
            #expect(throws: Failure.self) { try decompress(Array(whole.dropLast()), limit) }
            #expect(throws: Failure.self) { try decompress(whole + [1, 2, 3], limit) }
        }
        // zstd's checksum is optional, so that only gzip promises to tell.
        var damaged = gzip(Self.text)
        damaged[damaged.count / 2] ^= 0x55
        #expect(throws: Failure.self) { try decompress(damaged, limit) }
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

private func decompress(_ bytes: [UInt8], _ wholeLimit: Int = 1 << 20) throws -> [UInt8] {
    var source = Decompressor(MemorySource(bytes), named: "test", wholeLimit: wholeLimit)
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 70_001)
    while true {
        let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
        if count == 0 { return result }
        result += buffer[..<count]
    }
}

func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    var bytes = bytes
    var output = [UInt8](repeating: 0, count: bytes.count + 1000)
    _ = ccodecs_deflate_init(&stream, 6, 15 + 16)
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
