package import SystemPackage

import Glibc

/// A whole file, mapped read-only. Reading past the end of a file that shrank meanwhile would be a SIGBUS, so only
/// files that never change once they have their name are mapped.
package final class MappedFile: @unchecked Sendable {
    // Safe to share: the mapping is immutable for the life of the object.
    package let bytes: UnsafeRawBufferPointer

    /// Throws EINVAL for an empty file.
    package init(_ path: FilePath) throws(Errno) {
        let fd = try OwnedFD.open(path, O_RDONLY)
        let size = Int(try fd.status().st_size)
        let address = mmap(nil, size, PROT_READ, MAP_SHARED, fd.raw, 0)
        guard let address, address != MAP_FAILED else { throw .last }
        bytes = UnsafeRawBufferPointer(start: address, count: size)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }
}
