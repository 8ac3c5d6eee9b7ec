package import SystemPackage

import CLinux
import Glibc

/// What no copy of a file has in common with it: its inode's number and when that was made, which nobody can set.
package enum FileBirth {
    /// Bytes of a mark.
    package static let size = 3

    /// 24 bits of a hash. Of `name` in `directory`, which may be AT_FDCWD; an empty name is what is open. A symbolic
    /// link is not followed.
    package static func mark(_ directory: CInt, _ name: UnsafePointer<CChar>) throws(Errno) -> [UInt8] {
        var birth = clinux_birth()
        let result = clinux_get_birth(directory, name, &birth)
        guard result >= 0 else { throw Errno(rawValue: -result) }
        var hash = FNV()
        hash.add(birth.inode)
        hash.add(UInt64(bitPattern: birth.seconds))
        hash.add(UInt64(birth.nanoseconds))
        let folded = hash.value ^ hash.value >> 24 ^ hash.value >> 48
        return (0..<size).map { UInt8(truncatingIfNeeded: folded >> UInt64(8 * $0)) }
    }

    package static func mark(at path: FilePath) throws(Errno) -> [UInt8] {
        let result = path.withPlatformString { path -> Result<[UInt8], Errno> in
            do throws(Errno) { return .success(try mark(AT_FDCWD, path)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    package static func mark(of file: borrowing OwnedFD) throws(Errno) -> [UInt8] {
        try file.use { raw throws(Errno) in try mark(raw, "") }
    }
}
