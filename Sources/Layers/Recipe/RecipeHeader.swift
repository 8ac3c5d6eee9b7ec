import Linux
import Digests

import CCodecs

/// A recipe's first bytes; see `RecipeFormat`.
struct RecipeHeader {
    let diffID: Digest
    let tarSize: UInt64
    let bodySize: UInt64

    init(diffID: Digest, tarSize: UInt64, bodySize: UInt64) {
        self.diffID = diffID
        self.tarSize = tarSize
        self.bodySize = bodySize
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        put(RecipeFormat.magic)
        put(RecipeFormat.version)
        put(UInt32(0))
        bytes += diffID.bytes
        put(tarSize)
        put(bodySize)
        bytes += [UInt8](repeating: 0, count: RecipeFormat.headerSize - bytes.count)
        let checksum = bytes.withUnsafeBytes { ccodecs_crc32c(0, $0.baseAddress, $0.count) }
        withUnsafeBytes(of: checksum.littleEndian) { checksum in
            for (offset, byte) in checksum.enumerated() { bytes[RecipeFormat.checksum + offset] = byte }
        }
        return bytes
    }

    /// Throws what is wrong with `bytes`, in words that follow "the recipe … is damaged: ".
    init(decoding bytes: [UInt8], fileSize: UInt64) throws(CodecError) {
        guard bytes.count == RecipeFormat.headerSize else {
            throw CodecError("it has only \(bytes.count) bytes")
        }
        let (magic, version, diffID, tarSize, bodySize) = bytes.withUnsafeBytes { bytes in
            (
                bytes.loadUnaligned(as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self),
                Digest(bytes: UnsafeRawBufferPointer(rebasing: bytes[16..<48])),
                bytes.loadUnaligned(fromByteOffset: 48, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 56, as: UInt64.self)
            )
        }
        guard magic == RecipeFormat.magic else { throw CodecError("it is not a recipe") }
        guard version == RecipeFormat.version else {
            throw CodecError("it has version \(version), this mica knows \(RecipeFormat.version)")
        }
        guard let diffID else { throw CodecError("it has no digest") }
        self.init(diffID: diffID, tarSize: tarSize, bodySize: bodySize)
        guard encoded() == bytes else { throw CodecError("wrong checksum of the header") }
        let (size, overflow) = bodySize.addingReportingOverflow(UInt64(RecipeFormat.headerSize))
        guard !overflow, size == fileSize else {
            throw CodecError("it has \(fileSize) bytes and should have another size")
        }
    }
}
