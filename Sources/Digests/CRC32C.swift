import CCodecs

/// The checksum of mica's own formats (Castagnoli's polynomial).
package enum CRC32C {
    package static func checksum(of bytes: UnsafeRawBufferPointer) -> UInt32 {
        ccodecs_crc32c(0, bytes.baseAddress, bytes.count)
    }
}
