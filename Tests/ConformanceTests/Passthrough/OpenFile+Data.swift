import Linux
import SystemPackage

import Glibc

extension OwnedFD {
    /// `count` bytes from `offset` on, or fewer at the end.
    func text(at offset: UInt64, count: Int) throws -> String {
        var buffer = [UInt8](repeating: 0, count: count)
        let got = try buffer.withUnsafeMutableBytes { try readFully(into: $0, at: offset) }
        return String(decoding: buffer.prefix(got), as: UTF8.self)
    }

    func put(_ text: String, at offset: UInt64) throws {
        try Array(text.utf8).withUnsafeBytes { try writeAll($0, at: offset) }
    }
}

/// A file's first bytes, mapped shared.
final class Mapping {
    private let memory: UnsafeMutableRawPointer
    private let length: Int

    init(_ file: borrowing OwnedFD, length: Int, isWritable: Bool = false) throws {
        self.length = length
        let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
        guard let memory = file.use({ mmap(nil, length, protection, MAP_SHARED, $0, 0) }),
            memory != MAP_FAILED
        else { throw Errno.last }
        self.memory = memory
    }

    func text(at offset: Int, count: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: memory + offset, count: count), as: UTF8.self)
    }

    func put(_ text: String, at offset: Int) {
        for (index, byte) in text.utf8.enumerated() {
            memory.storeBytes(of: byte, toByteOffset: offset + index, as: UInt8.self)
        }
        msync(memory, length, MS_SYNC)
    }

    deinit { munmap(memory, length) }
}
