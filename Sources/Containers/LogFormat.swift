import Digests
import Linux
import Runner
import SystemPackage

/// A container's log: `log.0`, `log.1` and so on in its directory, each full before the next one is begun. Names are
/// never reused, so a reader with one file open knows which comes next. Numbers are little-endian.
///
/// A file is 16 bytes (magic, version and the CRC-32C of both) followed by records, one for each read from a stream:
/// CRC-32C of the rest of the record, length of the data × 2 + stream, time in Unix nanoseconds, data.
enum LogFormat {
    static let magic: UInt64 = 0x0a67_6f6c_6163_696d  // "micalog\n" read little-endian
    static let version: UInt32 = 1
    static let header = 16
    static let recordHeader = 16
    /// Bytes of data in a record, never 0.
    static let longest = 65536

    static func path(of number: Int, in directory: FilePath) -> FilePath {
        directory.appending("log.\(number)")
    }

    /// The numbers of the files that are there, in order.
    static func numbers(in directory: FilePath) -> [Int] {
        let names = (try? directory.names()) ?? []
        return names.compactMap { name in
            guard name.starts(with: "log.".utf8) else { return nil }
            return Int(String(decoding: name.dropFirst(4), as: UTF8.self))
        }.sorted()
    }

    static func appendHeader(to bytes: inout [UInt8]) {
        let start = bytes.count
        append(magic, to: &bytes)
        append(version, to: &bytes)
        let checksum = bytes[start...].withUnsafeBytes { CRC32C.checksum(of: $0) }
        append(checksum, to: &bytes)
    }

    static func isHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var expected: [UInt8] = []
        appendHeader(to: &expected)
        return bytes.elementsEqual(expected)
    }

    static func append(
        _ data: UnsafeRawBufferPointer,
        _ stream: StdioProxy.Stream,
        at time: Int64,
        to bytes: inout [UInt8]
    ) {
        let start = bytes.count
        append(UInt32(0), to: &bytes)
        append(UInt32(truncatingIfNeeded: data.count) << 1 | (stream == .error ? 1 : 0), to: &bytes)
        append(time, to: &bytes)
        bytes.append(contentsOf: data)
        let checksum = bytes[(start + 4)...].withUnsafeBytes { CRC32C.checksum(of: $0) }
        withUnsafeBytes(of: checksum.littleEndian) { new in
            for (offset, byte) in new.enumerated() { bytes[start + offset] = byte }
        }
    }

    enum Found {
        /// `size`: including the header.
        case record(LogRecord, size: Int)
        /// The record needs more bytes than there are.
        case unfinished
        case damaged
    }

    /// The record at the beginning of `bytes`.
    static func record(_ bytes: UnsafeRawBufferPointer) -> Found {
        guard bytes.count >= recordHeader else { return .unfinished }
        let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        let length = Int(word >> 1)
        guard (1...longest).contains(length) else { return .damaged }
        let size = recordHeader + length
        guard bytes.count >= size else { return .unfinished }
        let checksum = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        guard CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: bytes[4..<size])) == checksum else {
            return .damaged
        }
        let record = LogRecord(
            bytes: Array(bytes[recordHeader..<size]),
            stream: word & 1 == 0 ? .output : .error,
            time: Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self))
        )
        return .record(record, size: size)
    }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
