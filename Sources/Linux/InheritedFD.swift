package import SystemPackage

import Glibc

/// A descriptor that this process may not close or change: a standard stream. Other processes may have made it
/// O_NONBLOCK, which applies to all who share the open file; reads and writes wait all the same.
package struct InheritedFD: Sendable {
    package let raw: CInt
    package init(_ raw: CInt) { self.raw = raw }

    /// read(2) of at most `buffer.count` bytes; 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try Errno.waiting(for: POLLIN, on: raw) { Glibc.read(raw, buffer.baseAddress, buffer.count) }
    }

    /// write(2), repeated until everything is written.
    package func writeAll(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < bytes.count {
            done += try Errno.waiting(for: POLLOUT, on: raw) {
                Glibc.write(raw, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            }
        }
    }
}
