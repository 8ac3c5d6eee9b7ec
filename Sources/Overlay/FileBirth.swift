import CLinux
import Glibc
import Linux
import SystemPackage

/// What no copy of a file has in common with it: its inode number and when the inode was created, which can't be
/// set.
enum FileBirth {
    /// The size of a mark in bytes.
    static let size = 3

    /// 24 bits of a hash.
    static func mark(of name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> [UInt8] {
        var birth = clinux_birth()
        let result = directory.use { raw in name.withCString { clinux_get_birth(raw, $0, &birth) } }
        guard result >= 0 else { throw Errno(rawValue: -result) }
        var hash = FNV()
        hash.add(birth.inode)
        hash.add(UInt64(bitPattern: birth.seconds))
        hash.add(UInt64(birth.nanoseconds))
        let folded = hash.value ^ hash.value >> 24 ^ hash.value >> 48
        return (0..<size).map { UInt8(truncatingIfNeeded: folded >> UInt64(8 * $0)) }
    }

    static func mark(of file: borrowing OwnedFD) throws(Errno) -> [UInt8] {
        try mark(of: .itself, in: file)
    }
}
