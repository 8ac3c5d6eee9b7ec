package import Glibc
package import SystemPackage

import CLinux

/// The calls on a name in an open directory. None follows a symbolic link. `FileName.itself` stands for the open
/// file, which may be O_PATH.
extension OwnedFD {
    func call(_ name: FileName, _ body: (CInt, UnsafePointer<CChar>) -> CInt) throws(Errno) {
        try Errno.check(use { raw in name.withCString { body(raw, $0) } })
    }

    package func status(of name: FileName) throws(Errno) -> FileStatus {
        var status = FileStatus()
        try call(name) { fstatat($0, $1, &status, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) }
        return status
    }

    /// Nil where the filesystem does not record it.
    package func birth(of name: FileName) throws(Errno) -> timespec? {
        var birth = clinux_birth()
        try check(name) { clinux_get_birth($0, $1, &birth) }
        guard birth.seconds != 0 else { return nil }
        return timespec(tv_sec: Int(birth.seconds), tv_nsec: Int(birth.nanoseconds))
    }

    package func open(_ name: FileName, _ flags: CInt, mode: UInt32 = 0) throws(Errno) -> OwnedFD {
        var fd: CInt = -1
        try call(name) {
            fd = openat($0, $1, flags | O_NOFOLLOW | O_CLOEXEC, mode)
            return fd
        }
        return OwnedFD(adopting: fd)
    }

    /// Opens with O_NOATIME, where the file is the process's own or the process may.
    package func openQuietly(_ name: FileName, _ flags: CInt) throws(Errno) -> OwnedFD {
        do throws(Errno) {
            return try open(name, flags | __O_NOATIME)
        } catch .notPermitted {
            return try open(name, flags)
        }
    }

    /// The kernel applies the thread's umask, or the directory's default ACL.
    package func makeNode(_ name: FileName, mode: UInt32, device: UInt32) throws(Errno) {
        try call(name) { mknodat($0, $1, mode, dev_t(clinux_decode_device(device))) }
    }

    package func makeDirectory(_ name: FileName, mode: UInt32) throws(Errno) {
        try call(name) { mkdirat($0, $1, mode) }
    }

    package func makeSymlink(_ name: FileName, target: FileName) throws(Errno) {
        try call(name) { directory, name in target.withCString { symlinkat($0, directory, name) } }
    }

    package func unlink(_ name: FileName) throws(Errno) { try call(name) { unlinkat($0, $1, 0) } }
    package func removeDirectory(_ name: FileName) throws(Errno) {
        try call(name) { unlinkat($0, $1, AT_REMOVEDIR) }
    }

    package func rename(
        _ name: FileName,
        to other: borrowing OwnedFD,
        _ newName: FileName,
        flags: UInt32 = 0
    ) throws(Errno) {
        let result = use { directory in
            other.use { target in
                name.withCString { name in
                    newName.withCString { clinux_renameat2(directory, name, target, $0, flags) }
                }
            }
        }
        guard result >= 0 else { throw Errno(rawValue: -result) }
    }

    package func link(_ name: FileName, to other: borrowing OwnedFD, _ newName: FileName) throws(Errno) {
        try other.use { target throws(Errno) in
            try call(name) { directory, path in
                newName.withCString {
                    // AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH.
                    name.isItself
                        ? linkat(AT_FDCWD, "/proc/self/fd/\(directory)", target, $0, AT_SYMLINK_FOLLOW)
                        : linkat(directory, path, target, $0, 0)
                }
            }
        }
    }

    package func changeOwner(_ name: FileName, uid: UInt32, gid: UInt32) throws(Errno) {
        try call(name) { fchownat($0, $1, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) }
    }

    package func changeMode(_ name: FileName, _ mode: UInt32) throws(Errno) {
        try call(name) { raw, path in
            guard name.isItself else { return fchmodat(raw, path, mode & 0o7777, 0) }
            // fchmodat(2) has no AT_EMPTY_PATH, and fchmod(2) does not take O_PATH.
            let result = fchmod(raw, mode & 0o7777)
            return result == -1 && Errno.last == .badFileDescriptor
                ? chmod("/proc/self/fd/\(raw)", mode & 0o7777) : result
        }
    }

    package func changeTimes(_ name: FileName, access: timespec, modification: timespec) throws(Errno) {
        let times = [access, modification]
        try call(name) { utimensat($0, $1, times, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) }
    }

    /// The value, of at most `limit` bytes (ERANGE if it is longer); nil where there is no such attribute.
    package func attribute(_ attribute: XattrName, of name: FileName, limit: Int = 4096) throws(Errno)
        -> [UInt8]?
    {
        let result = use { raw in
            name.withCString { name in
                withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) {
                    buffer -> Result<[UInt8], Errno> in
                    let count = clinux_get_attribute(raw, name, attribute.cString, buffer.baseAddress, limit)
                    guard count >= 0 else { return .failure(Errno(rawValue: CInt(-count))) }
                    return .success([UInt8](buffer[..<count]))
                }
            }
        }
        switch result {
        case .success(let value): return value
        case .failure(.noData), .failure(.notSupported): return nil
        case .failure(let error): throw error
        }
    }

    /// The value, however long it is. The kernel clears as much memory as it is asked to fill, so that it is asked for
    /// little first.
    package func wholeAttribute(_ attribute: XattrName, of name: FileName) throws(Errno) -> [UInt8]? {
        do throws(Errno) {
            return try self.attribute(attribute, of: name, limit: 256)
        } catch .outOfRange {
            // XATTR_SIZE_MAX.
            return try self.attribute(attribute, of: name, limit: 65536)
        }
    }

    package func attributes(of name: FileName) throws(Errno) -> [XattrName] {
        let result = use { raw in
            name.withCString { name in
                // XATTR_LIST_MAX.
                withUnsafeTemporaryAllocation(of: CChar.self, capacity: 65536) {
                    list -> Result<[XattrName], Errno> in
                    let count = clinux_list_attributes(raw, name, list.baseAddress, list.count)
                    guard count >= 0 else { return .failure(Errno(rawValue: CInt(-count))) }
                    return .success(
                        XattrName.names(
                            in: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(list)[..<count])
                        )
                    )
                }
            }
        }
        if case .failure(.notSupported) = result { return [] }
        return try result.get()
    }

    /// `flags`: XATTR_CREATE, XATTR_REPLACE.
    package func setAttribute(
        _ attribute: XattrName,
        of name: FileName,
        to value: UnsafeRawBufferPointer,
        flags: CInt
    ) throws(Errno) {
        try check(name) {
            clinux_set_attribute($0, $1, attribute.cString, value.baseAddress, value.count, flags)
        }
    }

    package func setAttribute(_ attribute: XattrName, of name: FileName, to value: [UInt8]) throws(Errno) {
        try check(name) { clinux_set_attribute($0, $1, attribute.cString, value, value.count, 0) }
    }

    package func removeAttribute(_ attribute: XattrName, of name: FileName) throws(Errno) {
        try check(name) { clinux_remove_attribute($0, $1, attribute.cString) }
    }

    /// Checks a call that returns -errno.
    private func check(_ name: FileName, _ body: (CInt, UnsafePointer<CChar>) -> CInt) throws(Errno) {
        let result = use { raw in name.withCString { body(raw, $0) } }
        guard result >= 0 else { throw Errno(rawValue: -result) }
    }

    /// Runs `body`, which changes what is in this directory, and gives the directory its former times back. Returns
    /// its former status.
    @discardableResult
    package func keepingTimes(_ body: () throws(Errno) -> Void) throws(Errno) -> FileStatus {
        let before = try status(of: .dot)
        try body()
        try changeTimes(.dot, access: before.st_atim, modification: before.st_mtim)
        return before
    }

    /// The target of a symbolic link.
    package func target(of name: FileName) throws(Errno) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
        var count = 0
        try call(name) { fd, name in
            count = target.withUnsafeMutableBytes { buffer in
                let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
                return start.map { readlinkat(fd, name, $0, buffer.count) } ?? -1
            }
            return CInt(clamping: count)
        }
        target.removeLast(target.count - count)
        return target
    }
}

/// The flags of renameat2(2).
package enum Rename {
    package static let noReplace: UInt32 = 1
    package static let exchange: UInt32 = 2
    package static let whiteout: UInt32 = 4
}
