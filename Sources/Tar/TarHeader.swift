/// One 512-byte header, borrowed from the reader's buffer.
struct TarHeader {
    static let size = 512

    enum Format { case v7, ustar, gnu, star }

    let bytes: UnsafeRawBufferPointer

    /// `bytes` has `TarHeader.size` bytes.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func field(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    var isZero: Bool { bytes.allSatisfy { $0 == 0 } }
    var type: UInt8 { bytes[156] }

    var format: Format {
        let magic = field(257..<265)
        if magic.elementsEqual("ustar  \0".utf8) { return .gnu }
        guard magic.prefix(6).elementsEqual("ustar\0".utf8) else { return .v7 }
        return field(508..<512).elementsEqual("tar\0".utf8) ? .star : .ustar
    }

    /// The sum of the bytes, with the checksum's own field counted as spaces. Historic writers added up signed
    /// chars.
    func verifyChecksum() throws(TarError) {
        var unsigned: Int64 = 8 * 0x20
        var signed: Int64 = 8 * 0x20
        for (position, byte) in bytes.enumerated() where !(148..<156).contains(position) {
            unsigned += Int64(byte)
            signed += Int64(Int8(bitPattern: byte))
        }
        let expected: Int64
        do { expected = try TarNumber.parse(field(148..<156)) } catch {
            throw TarError("no tar header: its checksum \(error.reason)")
        }
        guard expected == unsigned || expected == signed else {
            throw TarError("no tar header: its checksum says \(expected), its bytes add up to \(unsigned)")
        }
    }

    /// The name field, behind the prefix where the format has one.
    var path: [UInt8] {
        let name = Self.string(field(0..<100))
        let prefix: [UInt8] =
            switch format {
            case .ustar: Self.string(field(345..<500))
            case .star: Self.string(field(345..<476))
            case .v7, .gnu: []
            }
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    var linkTarget: [UInt8] { Self.string(field(157..<257)) }

    func number(_ range: Range<Int>, _ what: String) throws(TarError) -> Int64 {
        do { return try TarNumber.parse(field(range)) } catch { throw TarError("\(what) \(error.reason)") }
    }

    /// How many bytes of data follow, unless a PAX record says otherwise.
    func size() throws(TarError) -> UInt64 {
        let size = try number(124..<136, "its size")
        guard let size = UInt64(exactly: size) else { throw TarError("its size is negative: \(size)") }
        return size
    }

    private static func string(_ field: UnsafeRawBufferPointer) -> [UInt8] { Array(field.prefix { $0 != 0 }) }
}
