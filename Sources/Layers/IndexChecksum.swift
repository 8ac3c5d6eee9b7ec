import CCodecs

/// CRC-32C of the two parts of an index.
enum IndexChecksum {
    /// `bytes` is the whole header; the field that holds the result counts as zero.
    static func header(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var copy = [UInt8](bytes)
        for offset in 0..<4 { copy[IndexFormat.headerChecksum + offset] = 0 }
        return ccodecs_crc32c(0, copy, copy.count)
    }

    /// `before`: the checksum of what precedes these bytes.
    static func body(_ bytes: UnsafeRawBufferPointer, after before: UInt32 = 0) -> UInt32 {
        ccodecs_crc32c(before, bytes.baseAddress, bytes.count)
    }
}
