public import Glibc

/// A name in a directory: bytes, with a NUL at the end for system calls.
///
/// Nearly every request makes one and looks it up in more than one table, so it takes one allocation and is hashed
/// once. Public where requests need it inlined: Swift does not inline `package` functions of another module.
public struct FileName: Hashable, @unchecked Sendable {
    // Safe to share: the storage never changes once it is made.
    @usableFromInline
    struct Header {
        /// The length without the NUL.
        @usableFromInline let count: Int
        @usableFromInline let hash: Int

        init(count: Int, hash: Int) { (self.count, self.hash) = (count, hash) }
    }

    /// The bytes follow the object.
    @usableFromInline
    final class Storage: ManagedBuffer<Header, UInt8> {}

    @usableFromInline let storage: Storage

    package init(_ name: UnsafeRawBufferPointer) {
        let made = Storage.create(minimumCapacity: name.count + 1) { made in
            made.withUnsafeMutablePointerToElements { bytes in
                UnsafeMutableRawBufferPointer(start: bytes, count: name.count).copyMemory(from: name)
                bytes[name.count] = 0
            }
            var hasher = Hasher()
            hasher.combine(bytes: name)
            return Header(count: name.count, hash: hasher.finalize())
        }
        storage = unsafeDowncast(made, to: Storage.self)
    }

    package init(_ name: [UInt8]) { self = name.withUnsafeBytes { FileName($0) } }

    package init(_ name: String) { self.init(Array(name.utf8)) }

    /// Stands for the open file itself, in those calls of `OwnedFD` that read or change attributes.
    package static let itself = FileName("")

    /// The open directory.
    package static let dot = FileName(".")

    package var isItself: Bool { storage.header.count == 0 }

    /// The bytes of the name.
    @inlinable
    @inline(__always)
    public func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try storage.withUnsafeMutablePointers { header, bytes throws(E) -> R in
            try body(UnsafeRawBufferPointer(start: bytes, count: header.pointee.count))
        }
    }

    package var bytes: [UInt8] { withBytes { [UInt8]($0) } }

    @inlinable
    @inline(__always)
    public func withCString<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
        storage.withUnsafeMutablePointerToElements {
            body(UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        }
    }

    @inlinable
    public static func == (one: FileName, other: FileName) -> Bool {
        if one.storage === other.storage { return true }
        return one.storage.withUnsafeMutablePointers { header, bytes in
            other.storage.withUnsafeMutablePointers { otherHeader, otherBytes in
                header.pointee.hash == otherHeader.pointee.hash
                    && header.pointee.count == otherHeader.pointee.count
                    && memcmp(bytes, otherBytes, header.pointee.count) == 0
            }
        }
    }

    @inlinable public var hashValue: Int { storage.header.hash }

    public func hash(into hasher: inout Hasher) { hasher.combine(storage.header.hash) }
}
