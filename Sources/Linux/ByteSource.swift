import SystemPackage

/// A stream of bytes that is read once, from the front.
package protocol ByteSource: Sendable {
    /// Up to `buffer.count` bytes; 0 only at the end.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int

    /// Passes over up to `count` bytes without reading them; returns how many, 0 where it can't.
    mutating func skip(_ count: UInt64) throws -> UInt64
}

extension ByteSource {
    package mutating func skip(_ count: UInt64) throws -> UInt64 { 0 }
}

/// The bytes of an open file, from its current offset.
package struct FileSource: ByteSource {
    // A class, because a protocol's value must be copyable and a descriptor isn't.
    private final class Box: Sendable {
        let fd: OwnedFD
        init(_ fd: consuming OwnedFD) { self.fd = fd }
    }
    private let box: Box

    package init(_ fd: consuming OwnedFD) { box = Box(fd) }

    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try box.fd.read(into: buffer)
    }
}

/// Bytes in memory.
package struct MemorySource: ByteSource {
    private var rest: ArraySlice<UInt8>

    package init(_ bytes: [UInt8]) { rest = bytes[...] }

    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let chunk = rest.prefix(buffer.count)
        chunk.withUnsafeBytes { buffer.copyMemory(from: $0) }
        rest = rest.dropFirst(chunk.count)
        return chunk.count
    }
}
