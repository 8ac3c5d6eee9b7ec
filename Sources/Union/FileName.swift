import Glibc

/// A name in a directory: bytes, ended by NUL for system calls.
package struct FileName: Hashable, Sendable {
    let terminated: [UInt8]

    package init(_ name: UnsafeRawBufferPointer) {
        terminated = [UInt8](unsafeUninitializedCapacity: name.count + 1) { buffer, count in
            UnsafeMutableRawBufferPointer(buffer).copyMemory(from: name)
            buffer[name.count] = 0
            count = name.count + 1
        }
    }

    package init(_ name: [UInt8]) { terminated = name + [0] }

    package init(_ name: String) { terminated = Array(name.utf8) + [0] }

    /// Not a name, but what is open: of the calls in `OwnedFD`, those that ask for or change what a file is take it.
    static let itself = FileName("")

    var isItself: Bool { terminated.count == 1 }

    /// The bytes of the name.
    @inline(__always)
    package func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try terminated.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(E) -> R in
            try body(UnsafeRawBufferPointer(rebasing: bytes.dropLast()))
        }
    }

    @inline(__always)
    func withCString<R>(_ body: (UnsafePointer<CChar>) -> R) -> R? {
        terminated.withUnsafeBytes { bytes in
            bytes.assumingMemoryBound(to: CChar.self).baseAddress.map(body)
        }
    }
}
