import Digests
import Testing

@Suite struct `Digests` {
    @Test func `hash as FIPS 180-4 says, in one piece or in many`() {
        let abc = SHA256.digest(of: Array("abc".utf8))
        #expect(abc.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let empty = SHA256.digest(of: [])
        #expect(empty.hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        var pieces = SHA256()
        for start in stride(from: 0, to: bytes.count, by: 977) {
            bytes[start..<min(start + 977, bytes.count)].withUnsafeBytes { pieces.update($0) }
        }
        #expect(pieces.finish() == SHA256.digest(of: bytes))
    }

    @Test func `read back what they write, and nothing else`() {
        let digest = SHA256.digest(of: Array("x".utf8))
        #expect(Digest("\(digest)") == digest)
        #expect(Digest(hex: digest.hex) == digest)
        #expect(digest.bytes.withUnsafeBytes { Digest(bytes: $0) } == digest)
        #expect(Digest(digest.hex) == nil)
        #expect(Digest(hex: digest.hex.uppercased()) == nil)
        #expect(Digest(hex: digest.hex.dropLast()) == nil)
        #expect(Digest("sha512:\(digest.hex)") == nil)
        #expect(Digest("sha256:../../../../etc/passwd") == nil)
        #expect(digest.bytes.dropLast().withUnsafeBytes { Digest(bytes: $0) } == nil)
    }

    @Test func `are ordered as their text is`() {
        let digests = (0..<100).map { SHA256.digest(of: [UInt8($0)]) }
        #expect(digests.sorted().map(\.hex) == digests.map(\.hex).sorted())
    }

    /// The example's rule is the image specification's: SHA-256 of "<parent> <diffID>".
    @Test func `name a stack by all layers below as well`() {
        let layers = (0..<3).map { SHA256.digest(of: [UInt8($0)]) }
        let chains = ChainID.all(of: layers)
        #expect(chains.count == 3)
        #expect(chains[0] == layers[0])
        #expect(chains[1] == SHA256.digest(of: Array("\(layers[0]) \(layers[1])".utf8)))
        #expect(chains[2] == SHA256.digest(of: Array("\(chains[1]) \(layers[2])".utf8)))
        #expect(ChainID.all(of: []).isEmpty)
        #expect(ChainID.all(of: layers.reversed()).last != chains.last)
    }
}
