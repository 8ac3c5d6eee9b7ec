import CCodecs

/// gzip, by libdeflate: a stream that fits into memory as a whole, compressed and not, is decompressed in less than
/// half the time that zlib takes.
package enum WholeGzip {
    /// Bytes of input, and of output, above which zlib is used, because several layers are in memory at once.
    package static let limit = 24 << 20
    static let outputLimit = 64 << 20

    /// Any number of members, with zeros after the last one. nil for data that is too large or damaged: zlib then
    /// takes it from the beginning, and reports what is wrong.
    static func inflate(_ input: UnsafeRawBufferPointer) -> UnsafeMutableRawBufferPointer? {
        guard input.count >= 18, let codec = libdeflate_alloc_decompressor() else { return nil }
        defer { libdeflate_free_decompressor(codec) }
        // The last four bytes are the size of the last member, modulo 2^32; mostly there is only one.
        let size = Int(input.loadUnaligned(fromByteOffset: input.count - 4, as: UInt32.self).littleEndian)
        for room in [size, outputLimit] where room <= outputLimit {
            let output = UnsafeMutableRawBufferPointer.allocate(byteCount: max(room, 1), alignment: 64)
            if let count = inflate(input, into: output, codec) {
                return UnsafeMutableRawBufferPointer(rebasing: output[..<count])
            }
            output.deallocate()
        }
        return nil
    }

    private static func inflate(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer,
        _ codec: OpaquePointer
    ) -> Int? {
        var (consumed, produced) = (0, 0)
        repeat {
            let rest = UnsafeRawBufferPointer(rebasing: input[consumed...])
            let room = UnsafeMutableRawBufferPointer(rebasing: output[produced...])
            var (read, written) = (0, 0)
            let result = libdeflate_gzip_decompress_ex(
                codec,
                rest.baseAddress,
                rest.count,
                room.baseAddress,
                room.count,
                &read,
                &written
            )
            guard result == LIBDEFLATE_SUCCESS else { return nil }
            consumed += read
            produced += written
        } while consumed < input.count && input[consumed] != 0
        return input[consumed...].allSatisfy { $0 == 0 } ? produced : nil
    }
}
