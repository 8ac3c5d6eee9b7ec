package import SystemPackage

import CLinux
import Glibc

/// Extended attributes, by path without following links, or by descriptor. Names and values are bytes.
package enum Xattr {
    /// nil where the attribute is missing (ENODATA) or the filesystem has none (EOPNOTSUPP).
    package static func get(_ name: XattrName, at path: FilePath) throws(Errno) -> [UInt8]? {
        try read { buffer, size in path.withPlatformString { lgetxattr($0, name.cString, buffer, size) } }
    }

    package static func get(_ name: XattrName, of fd: borrowing OwnedFD) throws(Errno) -> [UInt8]? {
        try fd.use { raw throws(Errno) in
            try read { buffer, size in fgetxattr(raw, name.cString, buffer, size) }
        }
    }

    package static func set(_ name: XattrName, _ value: [UInt8], at path: FilePath) throws(Errno) {
        try Errno.check(path.withPlatformString { lsetxattr($0, name.cString, value, value.count, 0) })
    }

    package static func set(_ name: XattrName, _ value: [UInt8], of fd: borrowing OwnedFD) throws(Errno) {
        try Errno.check(fd.use { fsetxattr($0, name.cString, value, value.count, 0) })
    }

    /// ENODATA where it is not there.
    package static func remove(_ name: XattrName, at path: FilePath) throws(Errno) {
        try Errno.check(path.withPlatformString { lremovexattr($0, name.cString) })
    }

    /// All names; empty where the filesystem has no attributes.
    package static func names(at path: FilePath) throws(Errno) -> [XattrName] {
        let list = try read { buffer, size in
            path.withPlatformString {
                llistxattr($0, buffer?.assumingMemoryBound(to: CChar.self), size)
            }
        }
        return XattrName.names(in: list ?? [])
    }

    package static func names(of fd: borrowing OwnedFD) throws(Errno) -> [XattrName] {
        let list = try fd.use { raw throws(Errno) in
            try read { buffer, size in
                flistxattr(raw, buffer?.assumingMemoryBound(to: CChar.self), size)
            }
        }
        return XattrName.names(in: list ?? [])
    }

    /// Asks for the size, then reads; tries again where the value grew in between (ERANGE).
    private static func read(
        _ call: (UnsafeMutableRawPointer?, Int) -> Int
    ) throws(Errno) -> [UInt8]? {
        while true {
            let size = call(nil, 0)
            if size == -1 {
                switch Errno.last {
                case .noData, .notSupported: return nil
                default: throw .last
                }
            }
            if size == 0 { return [] }
            var value = [UInt8](repeating: 0, count: size)
            let count = value.withUnsafeMutableBytes { call($0.baseAddress, $0.count) }
            if count >= 0 {
                value.removeLast(size - count)
                return value
            }
            if Errno.last == .noData { return nil }
            guard Errno.last == .outOfRange else { throw .last }
        }
    }
}
