import Digests
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Digests` {
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

    /// The digests are what fsverity-utils' `fsverity digest` prints.
    @Test(arguments: [
        (0, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95"),
        (1, "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551"),
        (4095, "50e79c3e051926810e73518de6efbe8bf5a6d7cb303496ff17b1700841d9aaeb"),
        (4096, "ed5db6cf0f6106b4e76a8b686b7a76caeb8d2ab40dc3cf82763b6a5228742e43"),
        (4097, "402e352b73c3467a1c7640dabb0356acb5e4b26d3d0146f0873f7af6e2d3c99d"),
        (40960, "b3696956e4c290468c05712bbe6052f1d6c56211f8d8fe2799feff343956d3df"),
        (65536, "966b09cba64dfa2094a39ff834bb28b67501fa2797d086ea9cbf120edb308d37"),
        (65537, "e90139f0202bd9573c5c01e063d0d61e1c961078806326a29b7861cf181aeded"),
        (524_288, "9b6a5907a0ac31f07523dd8629d2de800a8b0cc60a0354eb3b875c2614558e5c"),
        (524_289, "47b1e71aba9e4ceba063d3f3187fc2de885a3ff83033b5c4455d8100ff6100e5"),
        (1_048_581, "8eeccbd49d540f7e3f37b63d29943ce6b6f90efcc91fab72c1dea0a2d72d0e9b"),
    ]) func `of files are fs-verity's, in one piece or in many`(size: Int, expected: String) {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: ($0 * 2_654_435_761) >> 7) }
        #expect(bytes.withUnsafeBytes { TreeHash.digest(of: $0) }.hex == expected)
        var pieces = TreeHash()
        for start in stride(from: 0, to: bytes.count, by: 9_771) {
            bytes[start..<min(start + 9_771, bytes.count)].withUnsafeBytes { pieces.update($0) }
        }
        #expect(pieces.finish().hex == expected)
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
